/** Masks on their way through TF.js's own models: predicted, nested, ended, and let go of. */

import "@tensorflow/tfjs-backend-cpu";
import * as core from "@tensorflow/tfjs-core";
import * as keras from "@tensorflow/tfjs-layers";
import { beforeAll, expect, test } from "vitest";
import { install } from "./install";

const tf = { ...core, ...keras };

type Made = [string, object];

const MASKING: Made = ["Masking", { name: "mask", mask_value: 0 }];

/** A recurrent layer that adds up what it sees, and nothing where a step is masked. */
const sum = (name: string, sequences: boolean): Made => [
  "SimpleRNN",
  {
    name,
    units: 1,
    activation: "linear",
    use_bias: false,
    kernel_initializer: "ones",
    recurrent_initializer: "ones",
    return_sequences: sequences,
  },
];

function sequential(input: (number | null)[], ...layers: Made[]): Promise<keras.LayersModel> {
  const first: Made = ["InputLayer", { name: "input", batch_input_shape: input, dtype: "float32" }];
  const all = [first, ...layers].map(([class_name, config]) => ({ class_name, config }));
  return keras.models.modelFromJSON({ class_name: "Sequential", config: { name: "m", layers: all } } as never);
}

function numbers(tensor: core.Tensor): number[] {
  return Array.from(tensor.dataSync());
}

/** Two steps that count, and two that are masked: the second of two sums is 1 + (1 + 2) = 4, not 11. */
const STEPS = [[[1], [2], [0], [0]]];

beforeAll(async () => {
  install(tf);
  await core.setBackend("cpu");
});

test("a mask outlives the tensor that it came with, when a model predicts", async () => {
  const model = await sequential([null, 4, 1], MASKING, sum("a", true), sum("b", true), sum("c", false));
  expect(numbers(model.predict(core.tensor(STEPS)) as core.Tensor)).toEqual([5]);
});

test("a mask ends where it is to end, though TF.js would hand it on", async () => {
  const ends: Made = ["PotluckUnmask", { name: "end" }];
  const model = await sequential([null, 4, 1], MASKING, sum("a", true), ends, sum("b", false));
  expect(numbers(model.predict(core.tensor(STEPS)) as core.Tensor)).toEqual([1 + 3 + 3 + 3]);
});

test("a mask that a caller hands to a layer still counts", () => {
  const layer = tf.layers.simpleRNN({ units: 1, activation: "linear", useBias: false, kernelInitializer: "ones", recurrentInitializer: "ones" });
  const mask = core.tensor2d([[1, 0, 1, 0]], [1, 4], "bool");
  const x = core.tensor([[[1], [10], [100], [1000]]]);
  expect(numbers(layer.apply(x, { mask }) as core.Tensor)).toEqual([101]);
});

test("a mask goes into a nested model and comes out of it", async () => {
  const inner = await sequential([null, 4, 1], sum("a", true), ["Dropout", { name: "d", rate: 0.5 }]);
  const x = tf.input({ shape: [4, 1] });
  const masked = tf.layers.masking({}).apply(x) as keras.SymbolicTensor;
  const between = inner.apply(masked) as keras.SymbolicTensor;
  const last = tf.layers.simpleRNN({ units: 1, activation: "linear", useBias: false, kernelInitializer: "ones", recurrentInitializer: "ones" });
  const model = tf.model({ inputs: x, outputs: last.apply(between) as keras.SymbolicTensor });
  expect(numbers(model.predict(core.tensor(STEPS)) as core.Tensor)).toEqual([1 + 3]);
  expect(numbers(core.tidy(() => model.apply(core.tensor(STEPS)) as core.Tensor))).toEqual([1 + 3]);
});

test("neither predicting nor applying a masked model leaves a tensor behind", async () => {
  const inner = await sequential([null, 4, 1], MASKING, sum("a", true), ["Dense", { name: "d", units: 2 }]);
  const x = tf.input({ shape: [4, 1] });
  const hidden = tf.layers.dropout({ rate: 0.5 }).apply(inner.apply(x)) as keras.SymbolicTensor;
  const both = tf.layers.add().apply([hidden, hidden]) as keras.SymbolicTensor;
  const model = tf.model({ inputs: x, outputs: both });
  const steps = core.tensor(STEPS);
  for (const run of [() => model.predict(steps), () => model.apply(steps)] as (() => core.Tensor)[]) {
    run().dispose();
    const before = core.memory().numTensors;
    run().dispose();
    expect(core.memory().numTensors).toBe(before);
  }
  const layer = tf.layers.masking({});
  const before = core.memory().numTensors;
  (layer.apply(steps) as core.Tensor).dispose();
  expect(core.memory().numTensors).toBe(before);
});
