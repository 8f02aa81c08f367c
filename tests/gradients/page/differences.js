// Slopes of a case's weighted sum by finite differences, each along a random direction of one input or weight.
// Central differences at h and h/2 give a third estimate without the error of order h^2 (Richardson). Where
// they disagree by more than rounding and h^4 explain, a kink lies between, and a shorter step is taken.
import { drawn } from "./subject.js";

const DIRECTIONS = 3;
const STEPS = [2e-2, 4e-3, 1e-3];
const SMOOTH = 2e-3;

export async function differences(subject, job) {
  await subject.output();
  const found = [];
  let seed = 1000;
  for (const [name, variable] of subject.variables) {
    const start = Float32Array.from(await variable.data());
    for (let way = 0; way < DIRECTIONS; way++) {
      const direction = drawn(seed++, start.length);
      if (job.zeroSteps) start.forEach((value, i) => { if (value === 0 && name.startsWith("input")) direction[i] = 0; });
      const moved = (by) => {
        // What float32 makes of the step is what the difference is divided by.
        const values = start.map((value, i) => value + by * direction[i]);
        const next = subject.tf.tensor(values, variable.shape);
        variable.assign(next);
        next.dispose();
        return subject.value();
      };
      const slope = (h) => (moved(h) - moved(-h)) / (2 * h);
      let best = null;
      for (const h of STEPS) {
        const [wide, narrow] = [slope(h), slope(h / 2)];
        const estimate = (4 * narrow - wide) / 3;
        const doubt = Math.abs(wide - narrow);
        if (best === null || doubt < best.doubt) best = { estimate, doubt, step: h };
        if (doubt <= SMOOTH * Math.max(1, Math.abs(estimate))) break;
      }
      found.push({ name, direction, slope: best.estimate, doubt: best.doubt });
    }
    const back = subject.tf.tensor(start, variable.shape);
    variable.assign(back);
    back.dispose();
  }
  return found;
}
