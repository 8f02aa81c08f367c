/** Recurrent layers as one operation beside the same layers step by step: outputs and all gradients. */

import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import { type layers, models } from "@tensorflow/tfjs-layers";
import { beforeEach, describe, expect, test } from "vitest";
import { mend } from "../kernels";
import { OWN_LAYERS } from "../own_layers";
import { tf as own } from "../own_tf";
import { HOST_CELLS } from "./cells_host";
import { sigmoid, tanh } from "./curves";
import { fuseDense } from "./dense";
import { RECURRENCE, RECURRENCE_GRADIENT } from "./names";
import { registerRecurrenceOnHost } from "./recurrence_host";

const [ROWS, STEPS, FEATURES, UNITS] = [3, 5, 4, 6];
const TOLERANCE = 2e-6;

type Options = Readonly<Record<string, unknown>>;

const CASES: [string, Options][] = [
  ["SimpleRNN", {}],
  ["LSTM", {}],
  ["LSTM", { return_sequences: true }],
  ["LSTM", { use_bias: false, go_backwards: true, return_sequences: true }],
  ["PotluckLSTM", { dropout: 0.4 }],
  ["PotluckGRU", {}],
  ["PotluckGRU", { return_sequences: true, go_backwards: true }],
  ["PotluckGRU", { use_bias: false }],
];

function wave(shape: readonly number[], offset: number): tf.Tensor {
  const size = shape.reduce((product, axis) => product * axis, 1);
  return tf.tensor(Float32Array.from({ length: size }, (_, i) => 0.7 * Math.sin(12.9898 * (i + 1) + offset)), [...shape]);
}

async function opened(className: string, options: Options): Promise<layers.Layer> {
  const zeros = { class_name: "Zeros", config: {} };
  const config = { name: "r", units: UNITS, recurrent_initializer: zeros, activation: "tanh", recurrent_activation: "sigmoid", ...options };
  const input = { class_name: "InputLayer", config: { name: "i", batch_input_shape: [null, STEPS, FEATURES], dtype: "float32" } };
  const model = await models.modelFromJSON({
    class_name: "Sequential",
    config: { name: "m", layers: [input, { class_name: className, config }] },
  } as never);
  const layer = model.layers.at(-1) as layers.Layer;
  layer.setWeights(layer.getWeights().map((weight, i) => wave(weight.shape, i)));
  return layer;
}

/** The output, and gradients by the input and every weight. */
function computed(layer: layers.Layer): Float32Array[] {
  const start = wave([ROWS, STEPS, FEATURES], 9);
  const x = tf.variable(start);
  const weights = layer.trainableWeights.map((weight) => weight.read() as tf.Variable);
  const found = tf.tidy(() => {
    const output = layer.apply(x, { training: true }) as tf.Tensor;
    const by = wave(output.shape, 5);
    const { grads } = tf.variableGrads(() => tf.sum(tf.mul(layer.apply(x, { training: true }) as tf.Tensor, by)), [x, ...weights]);
    const gradients = [x, ...weights].map(({ name }) => grads[name] as tf.Tensor);
    return [output, ...gradients].map((value) => Float32Array.from(value.dataSync()));
  });
  tf.dispose([start, x]);
  return found;
}

function expectClose(found: readonly Float32Array[], wanted: readonly Float32Array[]): void {
  expect(found.map(({ length }) => length)).toEqual(wanted.map(({ length }) => length));
  found.forEach((values, i) => {
    const largest = Math.max(...(wanted[i] ?? []).map(Math.abs));
    values.forEach((value, j) => expect(Math.abs(value - (wanted[i]?.[j] ?? 0))).toBeLessThan(TOLERANCE * Math.max(1, largest)));
  });
}

function unfuse(backend: string): void {
  for (const name of [RECURRENCE, RECURRENCE_GRADIENT]) {
    if ((tf.getKernel(name, backend) as unknown) !== undefined) tf.unregisterKernel(name, backend);
  }
}

test("tanh and sigmoid are the true ones but for 3e-8, and keep what is no number", () => {
  for (let x = -20; x < 20; x += 0.0137) {
    expect(Math.abs(tanh(x) - Math.tanh(x))).toBeLessThan(3e-8);
    expect(Math.abs(sigmoid(x) - 1 / (1 + Math.exp(-x)))).toBeLessThan(3e-8);
  }
  expect([tanh(Infinity), sigmoid(-Infinity)].map(Math.round)).toEqual([1, 0]);
  expect(tanh(Number.NaN)).toBeNaN();
});

describe.each(["cpu", "wasm"] as const)("on %s", (backend) => {
  beforeEach(async () => {
    expect(OWN_LAYERS.has("PotluckLSTM")).toBe(true);
    await tf.setBackend(backend);
    mend(own, backend);
    fuseDense(backend);
    unfuse(backend);
  });

  test.each(CASES)("%s %j gives what it gives step by step, and its gradients", async (className, options) => {
    // What dropout draws is a function of the step, which stays the same here.
    const layer = await opened(className, options);
    const wanted = computed(layer);
    registerRecurrenceOnHost(backend);
    const before = tf.memory().numTensors;
    const data = tf.engine().backend.numDataIds();
    const found = computed(layer);
    expect(tf.memory().numTensors).toBe(before);
    expect(tf.engine().backend.numDataIds()).toBe(data);
    expectClose(found, wanted);
    // Something a little off would be noticed.
    const off = found.map((values) => Float32Array.from(values));
    const [last] = off.slice(-1);
    if (last !== undefined) last[0] = (last[0] ?? 0) + 1e-3;
    expect(() => expectClose(off, wanted)).toThrow();
  });

  test("a gradient that forgets what the carry hands back is noticed", async () => {
    const layer = await opened("LSTM", {});
    const wanted = computed(layer);
    registerRecurrenceOnHost(backend);
    const { lstm } = HOST_CELLS;
    const right = lstm.backward.bind(lstm);
    lstm.backward = (step) => {
      step.dcarry.fill(0);
      right(step);
    };
    try {
      expect(() => expectClose(computed(layer), wanted)).toThrow();
    } finally {
      lstm.backward = right;
    }
  });

  test.each([
    ["GRU", {}],
    ["LSTM", { activation: "relu" }],
    ["PotluckLSTM", { recurrent_dropout: 0.5 }],
  ])("%s %j, for which there is no kernel, goes step by step", async (className, options) => {
    const layer = await opened(className, options);
    registerRecurrenceOnHost(backend);
    const names: string[] = [];
    const { kernelFunc } = tf.getKernel(RECURRENCE, backend) as tf.KernelConfig;
    tf.unregisterKernel(RECURRENCE, backend);
    const noted: tf.KernelFunc = (call) => {
      names.push("fused");
      return kernelFunc(call);
    };
    tf.registerKernel({ kernelName: RECURRENCE, backendName: backend, kernelFunc: noted });
    computed(layer);
    expect(names).toEqual([]);
    computed(await opened("LSTM", {}));
    expect(names.length).toBeGreaterThan(0);
  });
});
