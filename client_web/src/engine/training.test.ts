import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import { beforeEach, describe, expect, test } from "vitest";
import type { Optimizer } from "../protocol/messages";
import { readCheckpoint, writeCheckpoint } from "./checkpoint";
import { mend } from "./kernels";
import { Unsupported } from "./layers/guard";
import { knownAnswerReference, type Reference } from "./reference";
import { BadTensors, readSafetensors, writeSafetensors } from "./safetensors";
import { Training } from "./training";

const OPTIMIZERS: Optimizer[] = [
  { name: "sgd", learning_rate: 0.05, momentum: 0.9, nesterov: true },
  { name: "adam", learning_rate: 0.01, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7 },
  { name: "rmsprop", learning_rate: 0.01, rho: 0.9, momentum: 0.5, epsilon: 1e-7, centered: true },
  { name: "adam", learning_rate: 0.01, amsgrad: true, clipnorm: 0.1 },
  { name: "adamw", learning_rate: 0.01, schedule: { name: "cosine", decay_epochs: 2, warmup_epochs: 0.5 } },
  { name: "adamax", learning_rate: 0.01, clipvalue: 0.01, schedule: { name: "one_cycle", decay_epochs: 2 } },
  { name: "nadam", learning_rate: 0.01, schedule: { name: "step", every_epochs: 1, factor: 0.5 } },
  { name: "adagrad", learning_rate: 0.01, use_ema: true, ema_momentum: 0.5, ema_overwrite_frequency: 3 },
  { name: "adadelta", learning_rate: 1, schedule: { name: "exponential", decay_epochs: 1 } },
  { name: "lion", learning_rate: 0.01, weight_decay: 0.1, use_ema: true },
  { name: "ftrl", learning_rate: 0.1, l1_regularization_strength: 0.01, schedule: { name: "piecewise", boundaries: [1], factors: [1, 0.1] } },
  // No epoch is good enough, so that each one's end changes the rate.
  { name: "sgd", learning_rate: 0.1, global_clipnorm: 0.1, schedule: { name: "plateau", patience: 0, min_delta: 9, factor: 0.5 } },
];

function referenceWith(optimizer: Optimizer): Reference {
  const { recipe, bytes } = knownAnswerReference();
  return { bytes, recipe: { ...recipe, optimizer } };
}

/** The same rows, with these weights. */
function weighing({ recipe, bytes }: Reference, weights: readonly number[]): Reference {
  const { metadata, tensors } = readSafetensors(bytes.tensors);
  const w = { shape: [weights.length], data: Float32Array.from(weights) };
  return { recipe, bytes: { ...bytes, tensors: writeSafetensors({ metadata, tensors: new Map(tensors).set("w", w) }) } };
}

function topologyOf(...layers: object[]): ArrayBuffer {
  const text = JSON.stringify({ class_name: "Sequential", config: { name: "s", layers } });
  return new TextEncoder().encode(text).buffer;
}

/** Train from a checkpoint up to a step, and give the checkpoint there. */
async function train({ recipe, bytes }: Reference, from: ArrayBuffer, to: number): Promise<Uint8Array<ArrayBuffer>> {
  const training = await Training.open(recipe, { ...bytes, checkpoint: from });
  while (training.step < to) {
    if (training.undecided) await training.loss();
    training.advance();
  }
  const checkpoint = writeCheckpoint(await training.state());
  training.dispose();
  return new Uint8Array(checkpoint);
}

describe.each(["cpu", "wasm"] as const)("on %s", (backend) => {
  beforeEach(async () => {
    await tf.setBackend(backend);
    mend(tf, backend);
  });

  test.each(OPTIMIZERS)("$name goes on bit for bit from wherever it stopped: %o", async (optimizer) => {
    const reference = referenceWith(optimizer);
    const { checkpoint } = reference.bytes;
    const whole = await train(reference, checkpoint, 7);
    expect(readCheckpoint(whole.buffer).iteration).toBe(7);
    // Within epochs, at their ends, and one step on from those.
    for (const step of [0, 2, 3, 4, 6]) {
      const halfway = await train(reference, checkpoint, step);
      expect(await train(reference, halfway.buffer, 7)).toEqual(whole);
    }
  });

  test("epochs leave no tensor behind, and neither does a whole unit", async () => {
    const { recipe, bytes } = referenceWith({ name: "adam", learning_rate: 0.01 });
    const before = tf.memory().numTensors;
    const training = await Training.open(recipe, bytes);
    training.advance();
    const during = tf.memory().numTensors;
    const data = tf.engine().backend.numDataIds();
    for (let epoch = 0; epoch < 3; epoch++) {
      for (let i = 0; i < recipe.steps_per_epoch; i++) training.advance();
      await training.loss();
      await training.state();
      expect(tf.memory().numTensors).toBe(during);
      expect(tf.engine().backend.numDataIds()).toBe(data);
    }
    training.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  test("a weight of 1 changes nothing, one of 0 takes a row's part away, and no tensor stays", async () => {
    const plain = knownAnswerReference();
    const { checkpoint } = plain.bytes;
    const before = tf.memory().numTensors;
    const ends = async (weight: (row: number) => number): Promise<Uint8Array> => {
      const weights = Array.from({ length: plain.recipe.rows }, (_, row) => weight(row));
      return train(weighing(plain, weights), checkpoint, 5);
    };
    const unweighted = await train(plain, checkpoint, 5);
    expect(await ends(() => 1)).toEqual(unweighted);
    expect(await ends((row) => (row === 4 ? 0 : 1))).not.toEqual(unweighted);
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe("a plateau of the training loss", () => {
  const optimizer: Optimizer = { name: "sgd", learning_rate: 0.1, schedule: { name: "plateau", patience: 0, min_delta: 9, factor: 0.5 } };

  test("lowers the rate at the end of each epoch but the first, however often anybody looked", async () => {
    await tf.setBackend("cpu");
    const reference = referenceWith(optimizer);
    const { checkpoint } = reference.bytes;
    const steps = reference.recipe.steps_per_epoch;
    for (const [epoch, rate] of [[1, 0.1], [2, 0.05], [3, 0.025]] as const) {
      const state = readCheckpoint((await train(reference, checkpoint, epoch * steps)).buffer);
      expect(state.plateau?.rate).toBe(Math.fround(rate));
    }
    const training = await Training.open(reference.recipe, reference.bytes);
    while (training.step < 3 * steps) {
      training.advance();
      await training.loss();
      await training.state();
    }
    expect(new Uint8Array(writeCheckpoint(await training.state()))).toEqual(await train(reference, checkpoint, 3 * steps));
    training.dispose();
  });

  test("lets nobody overlook an epoch's end", async () => {
    await tf.setBackend("cpu");
    const { recipe, bytes } = referenceWith(optimizer);
    const training = await Training.open(recipe, bytes);
    while (!training.undecided) training.advance();
    expect(training.step).toBe(recipe.steps_per_epoch);
    expect(() => training.advance()).toThrow("loss");
    expect(training.step).toBe(recipe.steps_per_epoch);
    await training.loss();
    training.advance();
    training.dispose();
  });

  test("decides otherwise without its state", async () => {
    await tf.setBackend("cpu");
    const reference = referenceWith(optimizer);
    const halfway = readCheckpoint((await train(reference, reference.bytes.checkpoint, 6)).buffer);
    const forgotten = writeCheckpoint({ ...halfway, plateau: null });
    const whole = await train(reference, reference.bytes.checkpoint, 7);
    expect(await train(reference, writeCheckpoint(halfway), 7)).toEqual(whole);
    expect(await train(reference, forgotten, 7)).not.toEqual(whole);
  });
});

describe("on cpu", () => {
  beforeEach(async () => {
    await tf.setBackend("cpu");
  });

  test("another seed gives other weights, through order and dropout alone", async () => {
    const reference = knownAnswerReference();
    const other = { ...reference, recipe: { ...reference.recipe, seed: 21 } };
    const { checkpoint } = reference.bytes;
    expect(await train(reference, checkpoint, 2)).not.toEqual(await train(other, checkpoint, 2));
  });

  test("the loss falls, and an epoch's mean counts every row of a smaller last batch", async () => {
    const { recipe, bytes } = knownAnswerReference();
    const training = await Training.open(recipe, bytes);
    const losses: number[] = [];
    for (let epoch = 0; epoch < 30; epoch++) {
      for (let i = 0; i < recipe.steps_per_epoch; i++) training.advance();
      losses.push(await training.loss());
      expect((await training.state()).lossRows).toBe(recipe.rows);
    }
    expect(losses.at(-1)).toBeLessThan(0.7 * (losses[0] ?? 0));
    training.dispose();
  });

  test("weights that are not one for each row are refused", async () => {
    const { recipe, bytes } = weighing(knownAnswerReference(), [1, 2, 3]);
    await expect(Training.open(recipe, bytes)).rejects.toThrow("w should be 20 weights");
  });

  test("a checkpoint that lacks a weight or has another shape is refused by name", async () => {
    const { recipe, bytes } = knownAnswerReference();
    const state = readCheckpoint(bytes.checkpoint);
    const without = new Map([...state.weights].filter(([name]) => name !== "dense/bias"));
    const lacking = { ...bytes, checkpoint: writeCheckpoint({ ...state, weights: without }) };
    await expect(Training.open(recipe, lacking)).rejects.toThrow(BadTensors);
    await expect(Training.open(recipe, lacking)).rejects.toThrow("dense/bias");
    const bent = new Map(state.weights).set("dense/bias", { shape: [4], data: new Float32Array(4) });
    const misshapen = { ...bytes, checkpoint: writeCheckpoint({ ...state, weights: bent }) };
    await expect(Training.open(recipe, misshapen)).rejects.toThrow("[4] instead of [5]");
  });

  test.each([
    ["Lambda", {}],
    ["GaussianNoise", { stddev: 1 }],
    ["Conv2D", { filters: 1, kernel_size: [3, 3], dilation_rate: [2, 2] }],
    ["LSTM", { units: 2, recurrent_dropout: 0.1 }],
    ["GRU", { units: 2, reset_after: true }],
    ["Conv3D", { filters: 1, kernel_size: [2, 2, 2] }],
    ["TimeDistributed", { layer: { class_name: "Lambda", config: {} } }],
    ["PotluckBidirectional", { layer: { class_name: "LSTM", config: { units: 2, dropout: 0.1 } } }],
    ["RNN", { cell: { class_name: "StackedRNNCells", config: { cells: [{ class_name: "Odd", config: {} }] } } }],
  ])("a topology with %s, which would be trained wrongly, is refused", async (class_name, config) => {
    const topology = topologyOf({ class_name, config: { name: "odd", ...config } });
    const { recipe, bytes } = knownAnswerReference();
    await expect(Training.open(recipe, { ...bytes, topology })).rejects.toThrow(Unsupported);
  });

  test("a network of several inputs, for which a unit has no rows, is refused", async () => {
    const [a, b] = ["a", "b"].map((name) => ({
      class_name: "InputLayer",
      name,
      config: { name, batch_input_shape: [null, 2], dtype: "float32" },
      inbound_nodes: [],
    }));
    const sum = { class_name: "Add", name: "sum", config: { name: "sum" }, inbound_nodes: [[["a", 0, 0, {}], ["b", 0, 0, {}]]] };
    const config = { name: "m", layers: [a, b, sum], input_layers: [["a", 0, 0], ["b", 0, 0]], output_layers: [["sum", 0, 0]] };
    const topology = new TextEncoder().encode(JSON.stringify({ class_name: "Model", config })).buffer;
    const { recipe, bytes } = knownAnswerReference();
    const before = tf.memory().numTensors;
    await expect(Training.open(recipe, { ...bytes, topology })).rejects.toThrow("one input");
    expect(tf.memory().numTensors).toBe(before);
  });

  test.each([
    [3, 3, false],
    [2, 2, false],
    [4, 4, true],
    [3, 1, true],
  ])("average pooling of %d by strides of %d over 6 places: refused is %s", async (pool, stride, refused) => {
    const size = { pool_size: [pool, pool], strides: [stride, stride], padding: "same" };
    const input = { name: "i", batch_input_shape: [null, 6, 6, 1], dtype: "float32" };
    const topology = topologyOf(
      { class_name: "InputLayer", config: input },
      { class_name: "AveragePooling2D", config: { name: "average", ...size } },
    );
    const { recipe, bytes } = knownAnswerReference();
    const opened = Training.open(recipe, { ...bytes, topology });
    // What is not refused for its pooling fails later, for the checkpoint is another network's.
    await expect(opened).rejects.toThrow(refused ? Unsupported : BadTensors);
  });
});
