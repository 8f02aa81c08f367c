/** Two small trainings with fixed weights and rows: one whose answer is known, one to measure speed. */

import type { Optimizer } from "../protocol/messages";
import { writeCheckpoint } from "./checkpoint";
import { stream, threefryInto } from "./randomness";
import { type HostTensor, writeSafetensors } from "./safetensors";
import type { Recipe, TrainingBytes } from "./training";

export interface Reference {
  readonly recipe: Recipe;
  readonly bytes: TrainingBytes;
}

interface Plan {
  readonly input: readonly number[];
  readonly classes: number;
  readonly layers: readonly [className: string, config: Readonly<Record<string, unknown>>][];
  readonly weights: Readonly<Record<string, readonly number[]>>;
  readonly rows: number;
  readonly batchSize: number;
  readonly optimizer: Optimizer;
}

const SEED = 20;

function uniform(purpose: string, size: number, low: number, high: number): Float32Array {
  const words = new Uint32Array(2);
  const key = stream(purpose);
  return Float32Array.from({ length: size }, (_, i) => {
    threefryInto(words, 0, SEED, key, 0, i);
    return low + ((high - low) * (words[0] ?? 0)) / 2 ** 32;
  });
}

/** Scales start at one and offsets at zero; everything else is drawn by its fan-in. */
function startValues(name: string, shape: readonly number[]): Float32Array {
  const size = shape.reduce((product, side) => product * side, 1);
  if (/(gamma|moving_variance)$/.test(name)) return new Float32Array(size).fill(1);
  if (/(beta|bias|moving_mean)$/.test(name)) return new Float32Array(size);
  const limit = Math.sqrt(3 / (size / (shape[shape.length - 1] ?? 1)));
  return uniform(`reference/${name}`, size, -limit, limit);
}

function reference(plan: Plan): Reference {
  const topology = {
    class_name: "Sequential",
    config: {
      name: "reference",
      layers: [
        ["InputLayer", { name: "input", batch_input_shape: [null, ...plan.input], dtype: "float32" }],
        ...plan.layers,
      ].map(([class_name, config]) => ({ class_name, config })),
    },
  };
  const weights = new Map<string, HostTensor>(
    Object.entries(plan.weights).map(([name, shape]) => [name, { shape, data: startValues(name, shape) }]),
  );
  const checkpoint = writeCheckpoint({
    weights,
    slots: new Map(),
    iteration: 0,
    lossSum: 0,
    lossRows: 0,
    epoch: 0,
    step: 0,
  });
  const size = plan.input.reduce((product, side) => product * side, plan.rows);
  const tensors = writeSafetensors({
    metadata: {},
    tensors: new Map<string, HostTensor>([
      ["x", { shape: [plan.rows, ...plan.input], data: uniform("reference/x", size, -1, 1) }],
      ["y", { shape: [plan.rows], data: Int32Array.from({ length: plan.rows }, (_, i) => i % plan.classes) }],
    ]),
  });
  return {
    recipe: {
      rows: plan.rows,
      batch_size: plan.batchSize,
      steps_per_epoch: Math.ceil(plan.rows / plan.batchSize),
      optimizer: plan.optimizer,
      loss: "sparse_categorical_crossentropy",
      from_logits: false,
      seed: SEED,
    },
    bytes: {
      topology: new TextEncoder().encode(JSON.stringify(topology)).buffer,
      checkpoint,
      tensors,
    },
  };
}

/** Every kind of layer that has gone wrong on some device; momentum, because Adam magnifies noise. */
export function knownAnswerReference(): Reference {
  return reference({
    input: [6, 6, 1],
    classes: 3,
    layers: [
      ["Conv2D", { name: "conv", filters: 4, kernel_size: [3, 3], strides: [1, 1], padding: "same", activation: "relu" }],
      ["MaxPooling2D", { name: "pool", pool_size: [2, 2], strides: [2, 2], padding: "valid" }],
      ["BatchNormalization", { name: "norm" }],
      ["Flatten", { name: "flatten" }],
      ["Dropout", { name: "dropout", rate: 0.25 }],
      ["Dense", { name: "dense", units: 5, activation: "tanh" }],
      ["Dense", { name: "head", units: 3, activation: "softmax" }],
    ],
    weights: {
      "conv/kernel": [3, 3, 1, 4],
      "conv/bias": [4],
      "norm/gamma": [4],
      "norm/beta": [4],
      "norm/moving_mean": [4],
      "norm/moving_variance": [4],
      "dense/kernel": [36, 5],
      "dense/bias": [5],
      "head/kernel": [5, 3],
      "head/bias": [3],
    },
    rows: 20,
    batchSize: 8,
    optimizer: { name: "sgd", learning_rate: 0.1, momentum: 0.9, nesterov: false },
  });
}

/** A network of the size that people bring to a table or to small pictures. */
export function speedReference(): Reference {
  return reference({
    input: [8, 8, 1],
    classes: 10,
    layers: [
      ["Conv2D", { name: "conv", filters: 16, kernel_size: [3, 3], activation: "relu" }],
      ["MaxPooling2D", { name: "pool", pool_size: [2, 2], strides: [2, 2], padding: "valid" }],
      ["Flatten", { name: "flatten" }],
      ["Dense", { name: "dense", units: 128, activation: "relu" }],
      ["Dense", { name: "head", units: 10, activation: "softmax" }],
    ],
    weights: {
      "conv/kernel": [3, 3, 1, 16],
      "conv/bias": [16],
      "dense/kernel": [144, 128],
      "dense/bias": [128],
      "head/kernel": [128, 10],
      "head/bias": [10],
    },
    rows: 256,
    batchSize: 32,
    optimizer: { name: "adam", learning_rate: 1e-3, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7 },
  });
}
