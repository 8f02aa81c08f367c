/** What a page does: it opens models of ours with stock TF.js, through the one module that we give it. */

import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops";
import * as core from "@tensorflow/tfjs-core";
import * as keras from "@tensorflow/tfjs-layers";
import { beforeAll, expect, test } from "vitest";
import { install } from "./module";

const tf = { ...core, ...keras };

function sequential(input: (number | null)[], ...layers: [string, object][]): Promise<keras.LayersModel> {
  const first = ["InputLayer", { name: "input", batch_input_shape: input, dtype: "float32" }];
  const all = [first, ...layers].map(([class_name, config]) => ({ class_name, config }));
  return keras.models.modelFromJSON({ class_name: "Sequential", config: { name: "m", layers: all } } as never);
}

beforeAll(async () => {
  await expect(sequential([null, 4], ["PotluckIdentity", { name: "i" }])).rejects.toThrow("PotluckIdentity");
  expect(install(tf)).toContain("PotluckIdentity");
  await core.setBackend("cpu");
});

test("something that is not TF.js is refused by name", () => {
  expect(() => install({})).toThrow(TypeError);
  expect(() => install(null)).toThrow("layers included");
});

test("a second call changes nothing that a model would notice", () => {
  const apply = tf.layers.Layer.prototype.apply;
  install(tf);
  expect(tf.layers.Layer.prototype.apply).toBe(apply);
});

test("a model of ours is fitted by TF.js's own training, and saved and opened again", async () => {
  const model = await sequential(
    [null, 6, 2],
    ["PotluckConv1D", { name: "c", filters: 3, kernel_size: [3], padding: "causal", dilation_rate: [2], activation: "potluck_celu" }],
    ["PotluckGRU", { name: "g", units: 4, reset_after: true }],
    ["Dense", { name: "d", units: 1 }],
  );
  model.compile({ optimizer: tf.train.adam(0.03), loss: "meanSquaredError" });
  const x = tf.randomNormal([32, 6, 2], 0, 1, "float32", 7);
  const y = tf.sum(x, [1, 2]).reshape([32, 1]);
  const { history } = await model.fit(x, y, { epochs: 12, batchSize: 8, shuffle: false, verbose: 0 });
  const losses = history["loss"] as number[];
  expect(losses[11]).toBeLessThan(0.9 * (losses[0] ?? 0));
  const again = await keras.models.modelFromJSON(JSON.parse(JSON.stringify(model.toJSON(null, false))) as never);
  again.setWeights(model.getWeights());
  const [ours, theirs] = [model.predict(x), again.predict(x)] as [core.Tensor, core.Tensor];
  expect(Array.from(await theirs.data())).toEqual(Array.from(await ours.data()));
});

test("training steps leave no tensor behind", async () => {
  const model = await sequential(
    [null, 5, 4],
    ["Masking", { name: "mask", mask_value: 0 }],
    ["PotluckBidirectional", {
      name: "b",
      merge_mode: "concat",
      layer: { class_name: "PotluckLSTM", config: { name: "l", units: 2, return_sequences: true, dropout: 0.5, recurrent_dropout: 0.2 } },
      backward_layer: null,
    }],
    ["PotluckBatchNormalization", { name: "bn", axis: 1 }],
    ["PotluckGaussianNoise", { name: "n", stddev: 0.1 }],
    ["PotluckActivityRegularization", { name: "a", l1: 0.1, l2: 0.1 }],
    ["PotluckGlobalAveragePooling1D", { name: "p" }],
    ["Dense", { name: "d", units: 1, activation: "potluck_hard_sigmoid" }],
  );
  model.compile({ optimizer: "sgd", loss: "meanSquaredError" });
  const [x, y] = [tf.ones([4, 5, 4]), tf.ones([4, 1])];
  await model.trainOnBatch(x, y);
  const before = tf.memory().numTensors;
  await model.trainOnBatch(x, y);
  expect(tf.memory().numTensors).toBe(before);
});

test("an embedding over several axes looks rows up, masks zeros, and learns where it looked", async () => {
  const model = await sequential([2, 2, 2], ["PotluckEmbedding", { name: "e", input_dim: 4, output_dim: 2, mask_zero: true }]);
  const [embedding] = model.layers.slice(-1) as [keras.layers.Layer];
  embedding.setWeights([tf.tensor2d([0, 1, 10, 11, 20, 21, 30, 31], [4, 2])]);
  const ids = tf.tensor([[[0, 1], [3, 3]], [[2, 0], [1, 1]]]);
  const rows = Array.from(await (model.apply(ids) as core.Tensor).data());
  expect(rows).toEqual([0, 1, 10, 11, 30, 31, 30, 31, 20, 21, 0, 1, 10, 11, 10, 11]);
  const mask = embedding.computeMask(ids) as core.Tensor;
  expect(Array.from(await mask.data())).toEqual([0, 1, 1, 1, 1, 0, 1, 1]);
  const { grads } = tf.variableGrads(() => tf.sum(model.apply(ids) as core.Tensor));
  const slopes = Object.values(grads).find((slope) => slope.shape.join() === "4,2");
  expect(Array.from((await slopes?.data()) ?? [])).toEqual([2, 2, 3, 3, 1, 1, 2, 2]);
});

test("masks reach every input, join as in Keras, and end where they should", async () => {
  const given = tf.input({ shape: [3, 2] });
  const other = tf.input({ shape: [3, 2] });
  const [a, b] = [given, other].map((one) => tf.layers.masking({}).apply(one)) as keras.SymbolicTensor[];
  const sum = tf.layers.add().apply([a as keras.SymbolicTensor, b as keras.SymbolicTensor]);
  const last = tf.layers.simpleRNN({
    units: 1,
    activation: "linear",
    useBias: false,
    kernelInitializer: "ones",
    recurrentInitializer: "ones",
  }).apply(sum) as keras.SymbolicTensor;
  const model = tf.model({ inputs: [given, other], outputs: last });
  const x = tf.tensor([[[1, 1], [1, 1], [0, 0]]]);
  const z = tf.tensor([[[1, 1], [0, 0], [0, 0]]]);
  // Steps count where either holds: 4 at the first, 2 at the second; the third is skipped.
  expect(Array.from(await (model.predict([x, z]) as core.Tensor).data())).toEqual([6]);
});
