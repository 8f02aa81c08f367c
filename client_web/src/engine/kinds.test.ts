/**
 * Networks of every kind, as the converter writes them, trained by this engine: on WASM as on CPU, and from
 * any checkpoint on bit for bit, whatever their layers draw by chance. The tolerance is 1e-4 of the largest
 * weight (float32, sums in another order); the twin shows that it bites.
 */

import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { readCheckpoint, writeCheckpoint } from "./checkpoint";
import { mend } from "./kernels";
import { openNetwork } from "./network";
import { stream, threefryInto } from "./randomness";
import { type HostTensor, writeSafetensors } from "./safetensors";
import { type Recipe, Training, type TrainingBytes } from "./training";

const TOLERANCE = 1e-4;
const ROWS = 10;
const STEPS = 5;

type Made = [className: string, config: Readonly<Record<string, unknown>>];

interface Kind {
  readonly input: readonly number[];
  readonly whole?: boolean;
  readonly layers: readonly Made[];
}

/** Recurrent layers have an initializer that this engine leaves out: the converter always writes them. */
const INITIALIZED = { recurrent_initializer: "zeros" };

const inner = ([class_name, config]: Made): object => ({
  class_name,
  config: { name: "inner", ...INITIALIZED, ...config },
});

const SERIES = [5, 3];
const FILM = [3, 4, 4, 2];
const PICTURE = [6, 6, 2];

const KINDS: Readonly<Record<string, Kind>> = {
  "GRU of Keras 3, with dropout inside": {
    input: SERIES,
    layers: [["PotluckGRU", { units: 4, reset_after: true, dropout: 0.3, recurrent_dropout: 0.2 }]],
  },
  "GRU of old": { input: SERIES, layers: [["GRU", { units: 4, reset_after: false }]] },
  "SimpleRNN and masks": {
    input: SERIES,
    layers: [
      ["Masking", { mask_value: 0 }],
      ["SimpleRNN", { units: 4, return_sequences: true }],
      ["LayerNormalization", {}],
      ["LSTM", { units: 3 }],
    ],
  },
  "Embedding with a mask, both ways": {
    input: [5],
    whole: true,
    layers: [
      ["Embedding", { input_dim: 8, output_dim: 3, mask_zero: true }],
      [
        "PotluckBidirectional",
        {
          merge_mode: "concat",
          layer: inner(["PotluckLSTM", { units: 2, return_sequences: true, dropout: 0.2 }]),
          backward_layer: inner(["LSTM", { name: "other", units: 3, return_sequences: true, go_backwards: true }]),
        },
      ],
      ["PotluckGlobalAveragePooling1D", {}],
    ],
  },
  "stacked cells": {
    input: SERIES,
    layers: [
      [
        "RNN",
        {
          cell: {
            class_name: "StackedRNNCells",
            config: { cells: [inner(["PotluckGRUCell", { units: 3 }]), inner(["LSTMCell", { units: 2 }])] },
          },
        },
      ],
    ],
  },
  "images in time": {
    input: FILM,
    layers: [
      ["ConvLSTM2D", { filters: 2, kernel_size: [2, 2], return_sequences: true, padding: "same" }],
      ["TimeDistributed", { layer: inner(["Conv2D", { filters: 2, kernel_size: [2, 2], use_bias: false }]) }],
      ["PotluckTimeDistributed", { layer: inner(["BatchNormalization", {}]) }],
      ["PotluckSpatialDropout3D", { rate: 0.3 }],
      ["Flatten", {}],
    ],
  },
  "convolutions of every kind": {
    input: PICTURE,
    layers: [
      ["DepthwiseConv2D", { kernel_size: [2, 1], strides: [2, 2], padding: "same", depth_multiplier: 2 }],
      ["SeparableConv2D", { filters: 4, kernel_size: [3, 3], padding: "same" }],
      ["PotluckConv2D", { filters: 4, kernel_size: [2, 2], groups: 2, dilation_rate: [2, 2], padding: "same" }],
      ["Conv2DTranspose", { filters: 2, kernel_size: [1, 2], strides: [1, 3], padding: "same" }],
      ["PotluckAveragePooling2D", { pool_size: [2, 2], strides: [2, 2], padding: "same" }],
      ["Flatten", {}],
    ],
  },
  "what is drawn by chance": {
    input: PICTURE,
    layers: [
      ["PotluckGaussianNoise", { stddev: 0.1 }],
      ["PReLU", { shared_axes: [1, 2] }],
      ["PotluckSpatialDropout2D", { rate: 0.3 }],
      ["PotluckGroupNormalization", { groups: 1 }],
      ["PotluckAlphaDropout", { rate: 0.2 }],
      ["PotluckRandomFlip", { mode: "horizontal" }],
      ["Flatten", {}],
    ],
  },
};

function words(purpose: string, size: number): Uint32Array {
  const found = new Uint32Array(size + (size % 2));
  for (let pair = 0; 2 * pair < size; pair++) threefryInto(found, 2 * pair, 5, stream(purpose), 0, pair);
  return found.subarray(0, size);
}

function uniform(purpose: string, size: number): Float32Array {
  return Float32Array.from(words(purpose, size), (word) => word / 2 ** 31 - 1);
}

const RECIPE: Recipe = {
  rows: ROWS,
  batch_size: 4,
  steps_per_epoch: 3,
  optimizer: { name: "sgd", learning_rate: 0.05, momentum: 0.9, nesterov: false },
  loss: "sparse_categorical_crossentropy",
  from_logits: false,
  seed: 3,
};

/** Give a unit: the kind's layers with a head of three classes, weights and rows. */
async function unitOf({ input, whole, layers }: Kind): Promise<TrainingBytes> {
  const given = { name: "input", batch_input_shape: [null, ...input], dtype: whole ? "int32" : "float32" };
  const head: Made[] = [["Dense", { units: 3, activation: "softmax" }]];
  const all: Made[] = [["InputLayer", given], ...layers, ...head];
  const named = all.map(([class_name, config], i) => ({ class_name, config: { name: `layer${i}`, ...INITIALIZED, ...config } }));
  const json = JSON.stringify({ class_name: "Sequential", config: { name: "kind", layers: named } });
  const topology = new TextEncoder().encode(json).buffer;
  await tf.setBackend("cpu");
  const network = await openNetwork(topology);
  const weights = new Map<string, HostTensor>();
  for (const [name, { shape }] of network.weights) {
    const sizes = shape.map(Number);
    const drawn = uniform(name, tf.util.sizeFromShape(sizes));
    const data = drawn.map((value) => (name.endsWith("variance") ? 1 + value / 2 : value / 2));
    weights.set(name, { shape: sizes, data });
  }
  network.model.dispose();
  const size = ROWS * tf.util.sizeFromShape([...input]);
  const x = whole ? Int32Array.from(words("x", size), (word) => word % 8) : uniform("x", size);
  const y = Int32Array.from({ length: ROWS }, (_, i) => i % 3);
  const tensors = new Map<string, HostTensor>([
    ["x", { shape: [ROWS, ...input], data: x }],
    ["y", { shape: [ROWS], data: y }],
  ]);
  const start = { slots: new Map(), iteration: 0, lossSum: 0, lossRows: 0, epoch: 0, step: 0 };
  return { topology, checkpoint: writeCheckpoint({ weights, ...start }), tensors: writeSafetensors({ metadata: {}, tensors }) };
}

async function train(backend: string, bytes: TrainingBytes, to = STEPS): Promise<ArrayBuffer> {
  await tf.setBackend(backend);
  mend(tf, backend);
  const training = await Training.open(RECIPE, bytes);
  while (training.step < to) training.advance();
  const checkpoint = writeCheckpoint(await training.state());
  training.dispose();
  return checkpoint;
}

/** Give each array's largest difference, relative to the largest weight in it. */
function distances(ours: ArrayBuffer, right: ArrayBuffer): number[] {
  const found = readCheckpoint(ours).weights;
  return [...readCheckpoint(right).weights].map(([name, { data }]) => {
    const other = found.get(name)?.data ?? [];
    const largest = Math.max(1e-3, ...Array.from(data, Math.abs));
    return Math.max(...Array.from(data, (value, i) => Math.abs(value - (other[i] ?? NaN)))) / largest;
  });
}

describe.each(Object.entries(KINDS))("%s", (_, kind) => {
  test("trains on WASM as on CPU, and every weight moves", async () => {
    const bytes = await unitOf(kind);
    const right = await train("cpu", bytes);
    expect(Math.max(...distances(await train("wasm", bytes), right))).toBeLessThan(TOLERANCE);
    expect(Math.min(...distances(bytes.checkpoint, right))).toBeGreaterThan(TOLERANCE);
  });

  test("goes on bit for bit from a checkpoint", async () => {
    const bytes = await unitOf(kind);
    const halfway = await train("wasm", bytes, 2);
    const whole = await train("wasm", bytes);
    expect(new Uint8Array(await train("wasm", { ...bytes, checkpoint: halfway }))).toEqual(new Uint8Array(whole));
  });
});
