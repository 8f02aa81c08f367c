// A few steps of one of TF.js's own optimizers with its default options, on gradients given: what is audited
// is the small number that each adds before it divides, which is the backend's affair.
import { drawn } from "./subject.js";

const COUNT = 3;
const SIZE = 12;

export async function steps(tf, { optimizer, rate }) {
  const weight = tf.variable(tf.tensor(drawn(1, SIZE)), true, `weight:${Math.random()}`);
  const start = Float32Array.from(await weight.data());
  const made = tf.train[optimizer](rate, ...(optimizer === "momentum" ? [0.9] : []));
  for (let step = 0; step < COUNT; step++) {
    // From large to tiny, as in a layer of which half sleeps.
    const gradient = drawn(10 + step, SIZE).map((value, i) => value * 10 ** -(i % 6));
    made.applyGradients({ [weight.name]: tf.tensor(gradient) });
  }
  const end = await weight.data();
  weight.dispose();
  made.dispose();
  return { "change of weights": end.map((value, i) => value - start[i]) };
}
