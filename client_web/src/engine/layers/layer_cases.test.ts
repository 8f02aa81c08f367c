/**
 * Every layer of ours against Keras 3 on JAX: output, and gradients with respect to inputs and weights, on
 * CPU and WASM. Oracle: layer_cases.gen.json, written by oracle/layer_cases.py. The tolerance is 1e-4 of
 * the largest element (float32, other orders of summation); the twin at the end shows that it bites.
 */

import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-backend-wasm";
// As the whole of TF.js does: its orthogonal initializer needs it.
import "@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops";
import * as core from "@tensorflow/tfjs-core";
import { layers, LayersModel, models } from "@tensorflow/tfjs-layers";
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { mend } from "../kernels";
import { replaceKernel } from "../kernels/registry";
import { install } from "./install";

interface Values {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

interface Case {
  readonly name: string;
  readonly class_name: string;
  readonly config: object;
  readonly shapes: readonly number[][];
  readonly masked: readonly boolean[];
  readonly spread: number;
  readonly training: boolean;
  readonly weights: readonly { name: string; shape: number[]; index: number }[];
  readonly output: Values;
  readonly input_gradients: readonly Values[];
  readonly weight_gradients: Readonly<Record<string, Values>>;
  readonly states: Readonly<Record<string, Values>>;
}

const TOLERANCE = 1e-4;

const CASES = JSON.parse(
  readFileSync(new URL("./layer_cases.gen.json", import.meta.url), "utf8"),
) as Case[];

const tf = { ...core, layers, LayersModel };

function numbers(shape: readonly number[], offset: number): Float32Array {
  const size = shape.reduce((all, length) => all * length, 1);
  return Float32Array.from({ length: size }, (_, i) => Math.sin(12.9898 * (i + 1) + offset));
}

function inputOf({ shapes, masked, spread }: Case, index: number): core.Tensor {
  const shape = shapes[index] ?? [];
  const values = numbers(shape, index).map((value) => Math.fround(value * spread));
  const [rows = 0, steps = 0, ...rest] = shape;
  const width = rest.reduce((all, length) => all * length, 1);
  for (let place = 0; masked[index] === true && place < rows * steps; place++) {
    const [row, step] = [Math.floor(place / steps), place % steps];
    if ((2 * row + step + index) % 3 === 0) values.fill(0, place * width, (place + 1) * width);
  }
  return core.tensor(values, shape);
}

async function open(one: Case): Promise<LayersModel> {
  const inputs = one.shapes.map((shape, i) => ({
    class_name: "InputLayer",
    name: `input_${i}`,
    config: { name: `input_${i}`, batch_input_shape: shape, dtype: "float32" },
    inbound_nodes: [],
  }));
  const masks = one.masked.flatMap((masked, i) =>
    masked
      ? [{
          class_name: "Masking",
          name: `mask_${i}`,
          config: { name: `mask_${i}`, mask_value: 0 },
          inbound_nodes: [[[`input_${i}`, 0, 0, {}]]],
        }]
      : [],
  );
  const fed = one.shapes.map((_, i) => [one.masked[i] === true ? `mask_${i}` : `input_${i}`, 0, 0, {}]);
  const layer = { class_name: one.class_name, name: "layer", config: one.config, inbound_nodes: [fed] };
  const model = await models.modelFromJSON({
    class_name: "Model",
    config: {
      name: "model",
      layers: [...inputs, ...masks, layer],
      input_layers: one.shapes.map((_, i) => [`input_${i}`, 0, 0]),
      output_layers: [["layer", 0, 0]],
    },
  } as never);
  const known = new Map(model.weights.map((weight) => [weight.originalName, weight]));
  expect([...known.keys()].sort()).toEqual(one.weights.map((weight) => weight.name).sort());
  for (const { name, shape, index } of one.weights) {
    const drawn = numbers(shape, 20 + index).map((value) => value * 0.5);
    const values = name.endsWith("variance") ? drawn.map((value) => Math.abs(value) + 0.5) : drawn;
    expect(known.get(name)?.shape, name).toEqual(shape);
    (known.get(name)?.read() as core.Variable).assign(core.tensor(values, shape));
  }
  return model;
}

/** Give the largest difference, as a part of the largest right value. */
async function distance(ours: core.Tensor | undefined, right: Values): Promise<number> {
  if (ours === undefined) return Number.POSITIVE_INFINITY;
  expect(ours.shape).toEqual(right.shape);
  const values = await ours.data();
  const largest = right.data.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
  const worst = right.data.reduce((most, value, i) => {
    const difference = Math.abs(value - (values[i] ?? Number.NaN));
    return Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(most, difference);
  }, 0);
  return worst / largest;
}

/** Give how far a layer is from Keras, by what was compared. */
async function compare(one: Case, backend: string): Promise<Record<string, number>> {
  await core.setBackend(backend);
  const model = await open(one);
  const inputs = one.shapes.map((_, i) => inputOf(one, i));
  const factors = core.tensor(numbers(one.output.shape, 9), [...one.output.shape]);
  const states = new Map(model.weights.map((weight) => [weight.originalName, weight]));
  const before = new Map([...states].map(([name, weight]) => [name, core.clone(weight.read())]));
  const run = (given: core.Tensor[]): core.Tensor => {
    // As training does: every run starts from the same moving statistics.
    for (const name of Object.keys(one.states)) {
      (states.get(name)?.read() as core.Variable).assign(before.get(name) as core.Tensor);
    }
    return model.apply(given, { training: one.training }) as core.Tensor;
  };
  const loss = (given: core.Tensor[]): core.Scalar => core.sum(core.mul(run(given), factors));
  const slopes = core.grads(((...given: core.Tensor[]) => loss(given)) as never)(inputs);
  const found: Record<string, number> = { output: await distance(run(inputs), one.output) };
  for (const [i, slope] of slopes.entries()) {
    found[`input ${i}`] = await distance(slope, one.input_gradients[i] as Values);
  }
  const trainable = model.trainableWeights.map((weight) => weight.read() as core.Variable);
  expect(trainable.length).toBe(Object.keys(one.weight_gradients).length);
  if (trainable.length > 0) {
    const { grads } = core.variableGrads(() => loss(inputs), trainable);
    for (const weight of model.trainableWeights) {
      const right = one.weight_gradients[weight.originalName] as Values;
      found[weight.originalName] = await distance(grads[(weight.read() as core.Variable).name], right);
    }
  }
  for (const [name, right] of Object.entries(one.states)) {
    found[name] = await distance(states.get(name)?.read(), right);
  }
  model.dispose();
  return found;
}

function worst(found: Readonly<Record<string, number>>): number {
  return Math.max(...Object.values(found));
}

beforeAll(async () => {
  install(tf);
  await core.setBackend("wasm");
  mend(core, "wasm");
});

describe.each(["cpu", "wasm"])("on %s", (backend) => {
  test.each(CASES.map((one) => [one.name, one] as const))("%s", async (_, one) => {
    const found = await compare(one, backend);
    const wrong = Object.entries(found).filter(([, error]) => !(error < TOLERANCE));
    expect(wrong).toEqual([]);
  });
});

test("a product that is wrong by a thousandth fails the comparison", async () => {
  const [first] = CASES;
  if (first === undefined) throw new Error("there is no case");
  await core.setBackend("cpu");
  replaceKernel<unknown>(core, "BatchMatMul", "cpu", (stock) => (call) => {
    if (stock === null) throw new Error("CPU has no BatchMatMul");
    return core.tidy(() => core.mul(core.engine().makeTensorFromTensorInfo(stock(call)), 1.001));
  });
  expect(worst(await compare(first, "cpu"))).toBeGreaterThan(TOLERANCE);
});
