// A model of one case with weights and inputs of its own, and the weighted sum of its output that is
// differentiated. The factors are drawn, so that no component of a gradient hides behind another.

// Uniform numbers in -1..1, the same everywhere (mulberry32).
export function drawn(seed, size) {
  let state = (seed * 2654435761) >>> 0;
  return Float32Array.from({ length: size }, () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 31 - 1;
  });
}

const sizeOf = (shape) => shape.reduce((product, side) => product * side, 1);

// A shuffled row of numbers at even distances: no two are near each other, nor near 0.
function apart(seed, size) {
  const order = drawn(seed, size);
  const places = Array.from(order.keys()).sort((a, b) => order[a] - order[b]);
  const found = new Float32Array(size);
  places.forEach((place, rank) => (found[place] = (2 * (rank + 0.5)) / size - 1));
  return found;
}

function inputValues({ values, low, high, zeroSteps }, shape, index) {
  const size = sizeOf(shape);
  const uniform = values === "apart" ? apart(index + 1, size) : drawn(index + 1, size);
  const found = uniform.map((value) => low + ((high - low) * (value + 1)) / 2);
  if (values === "whole") return Int32Array.from(found, Math.floor);
  if (!zeroSteps) return found;
  // Some steps of each row are zeros, for a mask to hide: in the middle and at the end.
  const [rows, steps, ...rest] = shape;
  const width = sizeOf(rest);
  for (let place = 0; place < rows * steps; place++) {
    const [row, step] = [Math.floor(place / steps), place % steps];
    if ((2 * row + step) % 3 === 1) found.fill(0, place * width, (place + 1) * width);
  }
  return found;
}

const list = (one) => (Array.isArray(one) ? one : [one]);
const single = (many) => (many.length > 1 ? many : many[0]);

export class Subject {
  constructor(tf, job) {
    this.tf = tf;
    this.job = job;
    this.topology = JSON.stringify({ class_name: "Model", config: job.topology });
    this.variables = new Map();
    this.whole = job.values === "whole";
    job.inputs.forEach((shape, index) => {
      const values = inputValues(job, shape, index);
      const dtype = this.whole ? "int32" : "float32";
      const name = `input:${index}`;
      this.variables.set(name, tf.variable(tf.tensor(values, shape, dtype), true, `${name}:${Math.random()}`));
    });
    this.inputs = [...this.variables.values()];
    if (this.whole) this.variables.clear();
  }

  async open() {
    if (this.model) return;
    const { tf } = this;
    this.model = await tf.models.modelFromJSON(JSON.parse(this.topology));
    this.states = [];
    this.model.weights.forEach((weight, index) => {
      const uniform = drawn(100 + index, weight.val.size);
      const positive = /variance/.test(weight.originalName);
      const values = uniform.map((value) => (positive ? 1 + value / 2 : 0.1 + 0.6 * value));
      weight.val.assign(tf.tensor(values, weight.val.shape));
      if (weight.trainable) this.variables.set(weight.originalName, weight.val);
      else this.states.push([weight.val, values]);
    });
  }

  // The output; whatever a pass in training moved is put back, so that every pass is the same function.
  forward() {
    const { tf, job, model } = this;
    const output = list(model.apply(single(this.inputs), { training: job.training }))[0];
    for (const [state, values] of this.states) state.assign(tf.tensor(values, state.shape));
    if (job.loss === null) return output;
    if (!model.lossFunctions) model.compile({ loss: job.loss, optimizer: "sgd" });
    return model.lossFunctions[0](this.truth(output.shape), output);
  }

  // What a loss compares with: positive rows of sum 1, labels or signs.
  truth(shape) {
    const { tf, job } = this;
    const raw = tf.tensor(drawn(50, sizeOf(shape)), shape);
    if (job.truth === "labels") return tf.tensor(drawn(50, shape[0]).map((v) => Math.floor((1 + v) * shape[1] / 2)), [shape[0], 1]);
    if (job.truth === "signs") return tf.sub(tf.mul(2, tf.cast(tf.greater(raw, 0), "float32")), 1);
    if (job.truth === "bits") return tf.cast(tf.greater(raw, 0), "float32");
    const positive = tf.add(raw, 1.1);
    return job.truth === "shares" ? tf.div(positive, tf.sum(positive, -1, true)) : positive;
  }

  penalties() {
    return this.model.calculateLosses();
  }

  async output() {
    await this.open();
    const output = this.tf.tidy(() => this.forward());
    this.factors = drawn(7, output.size);
    const values = await output.data();
    output.dispose();
    return values;
  }

  // The weighted sum in double precision; only the output is float32.
  value() {
    const { tf } = this;
    return tf.tidy(() => {
      const output = this.forward().dataSync();
      const penalty = this.penalties().reduce((sum, one) => sum + one.dataSync()[0], 0);
      return output.reduce((sum, value, index) => sum + value * this.factors[index], penalty);
    });
  }

  async differentiate(names) {
    const { tf } = this;
    const variables = names.map((name) => this.variables.get(name));
    const { grads, value } = tf.variableGrads(() => {
      const output = this.forward();
      const factors = tf.tensor(this.factors, output.shape);
      return tf.addN([tf.sum(tf.mul(output, factors)), ...this.penalties()]);
    }, variables);
    const found = {};
    for (const name of names) found[name] = await grads[this.variables.get(name).name].data();
    tf.dispose([grads, value]);
    return found;
  }

  // All gradients; where one stops TF.js, those by inputs and those by weights are asked apart.
  async gradients() {
    const names = [...this.variables.keys()];
    try {
      return { found: await this.differentiate(names), problems: {} };
    } catch {
      const found = {};
      const problems = {};
      for (const name of names) {
        try {
          Object.assign(found, await this.differentiate([name]));
        } catch (problem) {
          problems[name] = String(problem?.message ?? problem);
        }
      }
      return { found, problems };
    }
  }

  dispose() {
    this.model?.dispose();
    for (const variable of this.inputs) variable.dispose();
  }
}
