/** What layers draw while training: repeatable, of the right distribution, and nothing at inference. */

import "@tensorflow/tfjs-backend-cpu";
import * as core from "@tensorflow/tfjs-core";
import { layers, LayersModel } from "@tensorflow/tfjs-layers";
import { beforeAll, describe, expect, test } from "vitest";
import { makeLayers } from "./install";
import { type LayerClass, maskOf } from "./kit";
import { normals, uniforms } from "./noise";
import { resizeWeights } from "./interpolation";

const place = { seed: 5, step: 0 };
const made = new Map<string, LayerClass>();

function layer(name: string, config: object): layers.Layer {
  const Class = made.get(name);
  if (Class === undefined) throw new Error(`no ${name}`);
  return new (Class as unknown as new (args: object) => layers.Layer)({ name: "layer", ...config });
}

async function train(one: layers.Layer, x: core.Tensor, step = 0): Promise<number[]> {
  place.step = step;
  return Array.from(await (one.apply(x, { training: true }) as core.Tensor).data());
}

beforeAll(async () => {
  const clock = { seed: () => place.seed, step: () => place.step };
  for (const one of makeLayers({ ...core, layers, LayersModel }, clock)) made.set(one.className, one);
  await core.setBackend("cpu");
});

const IMAGES: [string, object][] = [
  ["PotluckRandomFlip", { mode: "horizontal" }],
  ["PotluckRandomRotation", { factor: [-0.2, 0.2], fillMode: "constant", fillValue: 0.5, interpolation: "bilinear" }],
  ["PotluckRandomZoom", { heightFactor: [-0.3, 0.3], widthFactor: null, fillMode: "reflect" }],
  ["PotluckRandomTranslation", { heightFactor: [-0.3, 0.3], widthFactor: [-0.3, 0.3], fillMode: "wrap" }],
  ["PotluckRandomContrast", { factor: [0.4, 0.4], valueRange: [0, 1] }],
  ["PotluckRandomBrightness", { factor: [-0.3, 0.3], valueRange: [0, 1] }],
  ["PotluckDropout", { rate: 0.4 }],
  ["PotluckSpatialDropout2D", { rate: 0.4 }],
  ["PotluckGaussianNoise", { stddev: 0.3 }],
  ["PotluckGaussianDropout", { rate: 0.3 }],
  ["PotluckAlphaDropout", { rate: 0.3 }],
];

describe.each(IMAGES)("%s", (name, config) => {
  const x = (): core.Tensor => core.tensor(uniforms(1, "image", 0, 6 * 7 * 8 * 2, [0, 1]), [6, 7, 8, 2]);

  test("is the identity at inference", async () => {
    const out = layer(name, config).apply(x(), { training: false }) as core.Tensor;
    expect(Array.from(await out.data())).toEqual(Array.from(await x().data()));
  });

  test("draws the same for the same step, and something else for the next", async () => {
    const [first, again, next] = [0, 0, 1].map((step) => train(layer(name, config), x(), step));
    expect(await again).toEqual(await first);
    expect(await next).not.toEqual(await first);
  });

  test("hands a gradient on to its input", async () => {
    const one = layer(name, config);
    const slope = core.grad((value) => core.sum(one.apply(value, { training: true }) as core.Tensor))(x());
    expect(slope.shape).toEqual([6, 7, 8, 2]);
    expect((await slope.data()).every(Number.isFinite)).toBe(true);
  });
});

function moments(values: ArrayLike<number>): [number, number] {
  const all = Array.from(values);
  const mean = all.reduce((sum, value) => sum + value, 0) / all.length;
  return [mean, all.reduce((sum, value) => sum + (value - mean) ** 2, 0) / all.length];
}

test("normal draws have mean 0 and deviation 1", () => {
  const [mean, variance] = moments(normals(3, "test", 0, 100_000));
  // Four standard errors.
  expect(Math.abs(mean)).toBeLessThan(4 / Math.sqrt(100_000));
  expect(Math.abs(variance - 1)).toBeLessThan(4 * Math.sqrt(2 / 100_000));
});

test("AlphaDropout keeps mean and variance of what is standard", async () => {
  const x = core.tensor(normals(4, "standard", 0, 50_000), [50_000, 1]);
  const [mean, variance] = moments(await train(layer("PotluckAlphaDropout", { rate: 0.2 }), x));
  expect(Math.abs(mean)).toBeLessThan(0.03);
  expect(Math.abs(variance - 1)).toBeLessThan(0.05);
});

test("SpatialDropout1D drops whole channels, and scales what stays", async () => {
  const out = await train(layer("PotluckSpatialDropout1D", { rate: 0.5 }), core.ones([4, 6, 5]));
  for (let channel = 0; channel < 20; channel++) {
    const [row, at] = [Math.floor(channel / 5), channel % 5];
    const places = Array.from({ length: 6 }, (_, step) => out[(row * 6 + step) * 5 + at]);
    expect(new Set(places).size).toBe(1);
    expect([0, 2]).toContain(places[0]);
  }
});

test("a rotation by a quarter turn moves every pixel where it belongs", async () => {
  const square = core.tensor([0, 1, 2, 3, 4, 5, 6, 7, 8], [1, 3, 3, 1]);
  const turned = await train(layer("PotluckRandomRotation", { factor: [0.25, 0.25], fillMode: "nearest" }), square);
  // x' = -y, y' = x about the middle.
  [2, 5, 8, 1, 4, 7, 0, 3, 6].forEach((right, i) => expect(turned[i]).toBeCloseTo(right, 4));
});

test("dropout inside a recurrent layer uses one mask for all steps", async () => {
  const config = { units: 3, dropout: 0.5, returnSequences: true, kernelInitializer: "ones", recurrentInitializer: "zeros", activation: "linear" };
  const out = await train(layer("PotluckSimpleRNN", config), core.ones([5, 4, 6]));
  for (let row = 0; row < 5; row++) {
    const steps = Array.from({ length: 4 }, (_, step) => out[(row * 4 + step) * 3]);
    expect(new Set(steps).size).toBe(1);
  }
  expect(new Set(out).size).toBeGreaterThan(1);
});

test("ActivityRegularization adds its slope to the gradient while training only", async () => {
  const one = layer("PotluckActivityRegularization", { l1: 0.2, l2: 0.3 });
  const x = core.tensor([[1, -2], [0.5, 3]]);
  const slope = (training: boolean): core.Tensor =>
    core.grad((value) => core.sum(one.apply(value, { training }) as core.Tensor))(x);
  const right = [1, -2, 0.5, 3].map((value) => 1 + (0.2 * Math.sign(value) + 0.6 * value) / 2);
  const ours = await slope(true).data();
  right.forEach((value, i) => expect(ours[i]).toBeCloseTo(value, 5));
  expect(Array.from(await slope(false).data())).toEqual([1, 1, 1, 1]);
});

test("Unmask ends a mask, and Identity hands it on", () => {
  const mask = core.tensor([[1, 0]], [1, 2], "bool");
  const x = core.ones([1, 2, 3]);
  expect(layer("PotluckUnmask", {}).computeMask(x, mask)).toBeNull();
  expect(layer("PotluckIdentity", {}).computeMask(x, mask)).toBe(mask);
  expect(maskOf(x)).toBeNull();
});

test.each(["bilinear", "bicubic", "lanczos3", "lanczos5", "nearest"])("%s weights of a place add up to one", (way) => {
  for (const [from, to] of [[5, 9], [9, 4], [1, 3]] as const) {
    const weights = resizeWeights(from, to, way, true);
    for (let row = 0; row < to; row++) {
      const sum = weights.subarray(row * from, (row + 1) * from).reduce((all, weight) => all + weight, 0);
      expect(sum).toBeCloseTo(1, 5);
    }
  }
});
