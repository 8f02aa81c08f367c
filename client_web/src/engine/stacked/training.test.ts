import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-backend-wasm";
import * as core from "@tensorflow/tfjs-core";
import { beforeEach, describe, expect, test } from "vitest";
import type { Optimizer } from "../../protocol/messages";
import { type State, writeCheckpoint } from "../checkpoint";
import { registerClassLoss } from "../fused/class_loss";
import { fuseDense } from "../fused/dense";
import { mend } from "../kernels";
import { tf } from "../own_tf";
import { Training } from "../training";
import { type Change, type Example, type Layers, PERCEPTRON, unitOf } from "./examples";
import { CannotStack } from "./plan";
import { type StackedUnit, StackedTraining } from "./training";

/**
 * Largest distance of a weight to what the unit gets alone, relative to how far training moved the weights of
 * its array. Sums in another order stay below a thousandth of it; a wrong gradient does not.
 */
const TOLERANCE = 2e-3;

/** Into a second epoch, whose last batch is smaller too. */
const STEPS = 5;

const CONV: Layers = [
  ["Conv2D", { name: "conv", filters: 6, kernel_size: [3, 3], strides: [1, 1], padding: "same", activation: "relu", kernel_regularizer: { class_name: "L1L2", config: { l1: 0.001, l2: 0.01 } } }],
  ["BatchNormalization", { name: "norm" }],
  ["MaxPooling2D", { name: "pool", pool_size: [2, 2], strides: [2, 2], padding: "valid" }],
  ["Conv2D", { name: "conv_1", filters: 5, kernel_size: [3, 2], strides: [2, 1], padding: "valid", activation: "linear", use_bias: false }],
  ["LeakyReLU", { name: "leaky", alpha: 0.2 }],
  ["Flatten", { name: "flatten" }],
  ["Dropout", { name: "dropout", rate: 0.3 }],
  ["Dense", { name: "dense", units: 9, activation: "tanh" }],
  ["Dense", { name: "head", units: 4, activation: "softmax" }],
];

const EXAMPLES: Readonly<Record<string, Example>> = {
  perceptron: { ...PERCEPTRON, rows: 70, input: [13] },
  convolutions: { input: [8, 7, 2], layers: CONV, outputs: 4, rows: 21, batchSize: 8 },
  "every other layer": {
    input: [8, 8, 1],
    layers: [
      ["Rescaling", { name: "scale", scale: 0.5, offset: 0.25 }],
      ["AveragePooling2D", { name: "average", pool_size: [2, 2], strides: [2, 2], padding: "valid" }],
      ["Conv2D", { name: "conv", filters: 4, kernel_size: [2, 2], strides: [1, 1], padding: "same", activation: "elu" }],
      ["MaxPooling2D", { name: "most", pool_size: [3, 3], strides: [1, 1], padding: "same" }],
      ["Reshape", { name: "reshape", target_shape: [16, 4] }],
      ["Conv1D", { name: "conv1", filters: 6, kernel_size: [3], strides: [2], padding: "same", activation: "sigmoid" }],
      ["MaxPooling1D", { name: "most1", pool_size: [2], strides: [2], padding: "valid" }],
      ["Dense", { name: "places", units: 5, activation: "selu" }],
      ["BatchNormalization", { name: "norm", momentum: 0.8, scale: false }],
      ["Activation", { name: "act", activation: "softsign" }],
      ["GlobalAveragePooling1D", { name: "global" }],
      ["ReLU", { name: "relu" }],
      ["Dense", { name: "head", units: 3, activation: "linear", bias_regularizer: { class_name: "L1L2", config: { l1: 0, l2: 0.1 } } }],
      ["Softmax", { name: "softmax", axis: -1 }],
    ],
    outputs: 3,
    rows: 19,
    batchSize: 6,
  },
};

function example(name: string): Example {
  const found = EXAMPLES[name];
  if (found === undefined) throw new Error(name);
  return found;
}

async function alone({ recipe, bytes }: StackedUnit, to: number): Promise<State> {
  const training = await Training.open(recipe, bytes);
  while (training.step < to) training.advance();
  const state = await training.state();
  training.dispose();
  return state;
}

async function together(units: readonly StackedUnit[], to: number): Promise<State[]> {
  const training = await StackedTraining.open(units);
  while (training.step < to) training.advance();
  const states = await training.states();
  training.dispose();
  return states;
}

function array(state: State, name: string): readonly number[] {
  return Array.from(state.weights.get(name)?.data ?? []);
}

function distance(found: State, wanted: State, start: State): number {
  let worst = 0;
  for (const name of wanted.weights.keys()) {
    const [a, b, from] = [array(found, name), array(wanted, name), array(start, name)];
    const moved = Math.max(1e-6, ...b.map((value, i) => Math.abs(value - (from[i] ?? 0))));
    b.forEach((value, i) => (worst = Math.max(worst, Math.abs(value - (a[i] ?? Number.NaN)) / moved || 0)));
    expect(a).toHaveLength(b.length);
    expect(a.every((value) => Number.isFinite(value))).toBe(true);
  }
  return worst;
}

function renumbered(layers: Layers, rate: number, l2: number): Layers {
  const text = JSON.stringify(layers).replace(/"rate":[\d.]+/g, `"rate":${rate}`).replace(/"l2":[\d.]+/g, `"l2":${l2}`);
  return JSON.parse(text) as Layers;
}

const KINDS: readonly (readonly [string, (unit: number) => Optimizer])[] = [
  ["sgd", (unit) => ({ name: "sgd", learning_rate: 0.02 * (1 + unit) })],
  ["momentum", (unit) => ({ name: "sgd", learning_rate: 0.02, momentum: 0.5 + 0.1 * unit, nesterov: false })],
  ["rmsprop", (unit) => ({ name: "rmsprop", learning_rate: 0.005, rho: 0.8 + 0.05 * unit, momentum: 0, epsilon: 1e-3 })],
  // A larger epsilon than usual: where a gradient is nearly nothing, Adam makes a whole step of its rounding.
  ["adam", (unit) => ({ name: "adam", learning_rate: 0.01 / (1 + unit), beta_1: 0.9, beta_2: 0.99, epsilon: 1e-3 })],
];

describe.each(["cpu", "wasm"] as const)("on %s", (backend) => {
  beforeEach(async () => {
    await core.setBackend(backend);
    mend(tf, backend);
    fuseDense(backend);
    registerClassLoss(backend);
  });

  describe.each(Object.keys(EXAMPLES))("%s", (name) => {
    test.each(KINDS)("trained with %s, each unit gets what it gets alone", async (_, optimizer) => {
      const { layers } = example(name);
      const units = await Promise.all(
        [0, 1, 2].map((unit) =>
          unitOf(example(name), {
            start: unit + 1,
            optimizer: optimizer(unit),
            layers: renumbered(layers, 0.2 * unit, 0.02 * unit),
          }),
        ),
      );
      const starts = await together(units, 0);
      const found = await together(units, STEPS);
      for (const [index, unit] of units.entries()) {
        const wanted = await alone(unit, STEPS);
        const [state, start] = [found[index] as State, starts[index] as State];
        expect(distance(state, wanted, start)).toBeLessThan(TOLERANCE);
        expect(state.lossSum).toBeCloseTo(wanted.lossSum, 3);
        expect([state.lossRows, state.iteration, state.epoch, state.step]).toEqual([wanted.lossRows, wanted.iteration, wanted.epoch, wanted.step]);
        expect([...state.slots.keys()]).toEqual([...wanted.slots.keys()]);
        // The tolerance can fail: a unit is far from its neighbour's result, and from its start.
        expect(distance(found[(index + 1) % 3] as State, wanted, start)).toBeGreaterThan(10 * TOLERANCE);
        expect(distance(start, wanted, start)).toBeGreaterThan(0.5);
      }
    });
  });

  test("units of different seeds have their own order of rows and their own masks", async () => {
    const units = await Promise.all([3, 4, 5].map((seed) => unitOf(example("convolutions"), { seed })));
    const found = await together(units, 5);
    const start = (await together(units, 0))[0] as State;
    for (const [index, unit] of units.entries()) {
      expect(distance(found[index] as State, await alone(unit, 5), start)).toBeLessThan(5 * TOLERANCE);
      expect(distance(found[(index + 1) % 3] as State, await alone(unit, 5), start)).toBeGreaterThan(0.05);
    }
  });

  test.each([
    ["mean_squared_error", "linear", false],
    ["mean_absolute_error", "linear", false],
    ["binary_crossentropy", "sigmoid", false],
    ["binary_crossentropy", "linear", true],
    ["sparse_categorical_crossentropy", "linear", true],
  ] as const)("%s of %s outputs is what it is alone", async (loss, activation, from_logits) => {
    const layers: Layers = [
      ["Dense", { name: "dense", units: 8, activation: "relu" }],
      ["Dense", { name: "head", units: 2, activation }],
    ];
    const plain: Example = { input: [5], layers, outputs: 2, rows: 21, batchSize: 8 };
    const optimizer: Optimizer = { name: "sgd", learning_rate: 0.1 };
    const units = await Promise.all([1, 2].map((start) => unitOf(plain, { start, loss, from_logits, optimizer })));
    const [starts, found] = [await together(units, 0), await together(units, 6)];
    for (const [index, unit] of units.entries()) {
      const wanted = await alone(unit, 6);
      expect(distance(found[index] as State, wanted, starts[index] as State)).toBeLessThan(TOLERANCE);
      expect((found[index] as State).lossSum).toBeCloseTo(wanted.lossSum, 4);
    }
  });

  test("a stack goes on bit for bit from every step, and ends in the same bits with fewer units", async () => {
    const units = await Promise.all([1, 2, 3].map((start) => unitOf(example("convolutions"), { start })));
    const whole = (await together(units, 7)).map(writeCheckpoint);
    for (const step of [1, 3, 5]) {
      const halfway = (await together(units, step)).map(writeCheckpoint);
      const on = units.map((unit, i) => ({ ...unit, bytes: { ...unit.bytes, checkpoint: halfway[i] as ArrayBuffer } }));
      expect((await together(on.slice(1), 7)).map(writeCheckpoint)).toEqual(whole.slice(1));
    }
  });

  test("a frozen layer stays as it was, and those before it train on", async () => {
    const layers = CONV.map(([name, config]) => [name, config["name"] === "norm" || config["name"] === "dense" ? { ...config, trainable: false } : config] as const);
    const optimizer: Optimizer = { name: "sgd", learning_rate: 0.05 };
    const unit = await unitOf(example("convolutions"), { layers, optimizer });
    const [start, found] = [(await together([unit], 0))[0] as State, (await together([unit, unit], 5))[1] as State];
    expect(distance(found, await alone(unit, 5), start)).toBeLessThan(TOLERANCE);
    for (const name of ["norm/gamma", "norm/moving_mean", "dense/kernel"]) expect(array(found, name)).toEqual(array(start, name));
    expect(array(found, "conv/kernel")).not.toEqual(array(start, "conv/kernel"));
  });

  test("a unit whose weights become no numbers leaves the others as they were", async () => {
    const wild: Optimizer = { name: "sgd", learning_rate: Number.POSITIVE_INFINITY };
    const calm: Optimizer = { name: "sgd", learning_rate: 0.05 };
    const [first, second, third] = await Promise.all([calm, wild, calm].map((optimizer) => unitOf(example("convolutions"), { optimizer })));
    const training = await StackedTraining.open([first, second, third] as StackedUnit[]);
    for (let i = 0; i < 6; i++) training.advance();
    const losses = await training.losses();
    expect(losses.map(Number.isFinite)).toEqual([true, false, true]);
    const quiet = await together([first as StackedUnit], 6);
    expect(writeCheckpoint((await training.states())[2] as State)).toEqual(writeCheckpoint(quiet[0] as State));
  });

  test("a stack leaves no tensor behind", async () => {
    const unit = await unitOf(example("convolutions"));
    const before = core.memory().numTensors;
    await together([unit, unit], 4);
    expect(core.memory().numTensors).toBe(before);
  });
});

describe("what cannot stack is said so", () => {
  beforeEach(() => core.setBackend("cpu"));

  const head = { name: "head", units: 10, activation: "softmax" };
  const plain: Example = { ...PERCEPTRON, layers: [["Dense", head]] };

  test.each<[string, Layers]>([
    ["a layer that it does not know", [["PotluckGaussianDropout", { name: "g", rate: 0.1 }], ["Dense", head]]],
    ["a constraint", [["Dense", { ...head, kernel_constraint: { class_name: "NonNeg", config: {} } }]]],
    ["an activation that it does not know", [["Dense", { ...head, activation: "softplus" }]]],
    ["a penalty that it does not know", [["Dense", { ...head, kernel_regularizer: { class_name: "PotluckOrthogonalRegularizer", config: {} } }]]],
  ])("%s", async (_, layers) => {
    const odd = await unitOf(plain, { layers });
    await expect(StackedTraining.open([odd, odd])).rejects.toThrow(CannotStack);
  });

  test.each<[string, Change]>([
    ["another batch size", { batch_size: 16 }],
    ["another kind of optimizer", { optimizer: { name: "sgd", learning_rate: 0.1 } }],
    ["an option of the optimizer that it does not know", { optimizer: { name: "adam", learning_rate: 0.01, clip: 1 } as Optimizer }],
    ["an option of the unit that it does not know", { row_weights: [1, 2] } as Change],
    ["another network", { layers: [["Dense", { ...head, use_bias: false }]] }],
  ])("%s", async (_, change) => {
    const [first, odd] = await Promise.all([unitOf(plain), unitOf(plain, change)]);
    await expect(StackedTraining.open([first, odd])).rejects.toThrow(CannotStack);
    await expect(StackedTraining.open([first, first])).resolves.toBeInstanceOf(StackedTraining);
  });

  test("units at different steps", async () => {
    const unit = await unitOf(PERCEPTRON);
    const [state] = await together([unit], 3);
    const later = { ...unit, bytes: { ...unit.bytes, checkpoint: writeCheckpoint(state as State) } };
    await expect(StackedTraining.open([unit, later])).rejects.toThrow(CannotStack);
  });
});
