/** Units for tests and benches: networks of every layer that a stack trains, with rows by chance. */

import { type State, writeCheckpoint } from "../checkpoint";
import { openNetwork } from "../network";
import { stream, threefryInto } from "../randomness";
import { type HostTensor, writeSafetensors } from "../safetensors";
import type { Recipe } from "../training";
import type { StackedUnit } from "./training";

export type Layers = readonly (readonly [className: string, config: Readonly<Record<string, unknown>>])[];

export interface Example {
  readonly input: readonly number[];
  readonly layers: Layers;
  /** Classes, or numbers of a target. */
  readonly outputs: number;
  readonly rows: number;
  readonly batchSize: number;
}

function uniform(seed: number, purpose: string, size: number): Float32Array {
  const words = new Uint32Array(2);
  const key = stream(purpose);
  return Float32Array.from({ length: size }, (_, i) => {
    threefryInto(words, 0, seed, key, 0, i);
    return (words[0] ?? 0) / 2 ** 31 - 1;
  });
}

function startOf(seed: number, name: string, shape: readonly number[]): HostTensor {
  const size = shape.reduce((product, axis) => product * axis, 1);
  if (/(gamma|moving_variance)$/.test(name)) return { shape, data: new Float32Array(size).fill(1) };
  if (/(beta|moving_mean)$/.test(name)) return { shape, data: new Float32Array(size) };
  const limit = /bias$/.test(name) ? 0.1 : Math.sqrt(3 / (size / (shape.at(-1) ?? 1)));
  return { shape, data: uniform(seed, name, size).map((value) => value * limit) };
}

export type Change = Partial<Recipe> & { readonly start?: number; readonly layers?: Layers };

/** Make a unit; `start` seeds its weights. Rows are the same for all units of an example. */
export async function unitOf(example: Example, change: Change = {}): Promise<StackedUnit> {
  const { start = 1, layers = example.layers, ...recipe } = change;
  const listed = [["InputLayer", { name: "input", batch_input_shape: [null, ...example.input], dtype: "float32" }], ...layers];
  const config = { name: "s", layers: listed.map(([class_name, config]) => ({ class_name, config })) };
  const topology = new TextEncoder().encode(JSON.stringify({ class_name: "Sequential", config })).buffer;
  const network = await openNetwork(topology);
  const weights = new Map([...network.weights.keys()].map((name) => [name, startOf(start, name, network.shapeOf(name))]));
  network.model.dispose();
  const loss = recipe.loss ?? "sparse_categorical_crossentropy";
  const ofClasses = loss === "sparse_categorical_crossentropy";
  const { rows, batchSize, outputs, input } = example;
  const x = uniform(9, "x", input.reduce((product, axis) => product * axis, rows));
  const y: HostTensor = ofClasses
    ? { shape: [rows], data: Int32Array.from({ length: rows }, (_, i) => (i * 7) % outputs) }
    : { shape: [rows, outputs], data: uniform(9, "y", rows * outputs).map((value) => (value > 0 ? 1 : 0)) };
  const tensors = new Map<string, HostTensor>([["x", { shape: [rows, ...input], data: x }], ["y", y]]);
  const state = { weights, slots: new Map(), iteration: 0, lossSum: 0, lossRows: 0, epoch: 0, step: 0 };
  return {
    recipe: {
      rows,
      batch_size: batchSize,
      steps_per_epoch: Math.ceil(rows / batchSize),
      optimizer: { name: "adam", learning_rate: 0.01, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7 },
      loss,
      from_logits: false,
      seed: 5,
      ...recipe,
    },
    bytes: { topology, checkpoint: writeCheckpoint(state), tensors: writeSafetensors({ metadata: {}, tensors }) },
  };
}

/** A multilayer perceptron of 64-32-32-10, the unit that stacking is measured with. */
export const PERCEPTRON: Example = {
  input: [64],
  layers: [
    ["Dense", { name: "dense", units: 32, activation: "relu" }],
    ["Dense", { name: "dense_1", units: 32, activation: "relu" }],
    ["Dense", { name: "head", units: 10, activation: "softmax" }],
  ],
  outputs: 10,
  rows: 256,
  batchSize: 32,
};

/** Give the state of a unit that trains by itself. */
export function onlyState([state]: readonly State[]): State {
  if (state === undefined) throw new Error("there is no unit");
  return state;
}
