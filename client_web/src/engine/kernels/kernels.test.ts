/**
 * Every mended kernel on WASM against TF.js on CPU, through the gradients that use it. The tolerance is
 * 1e-5 of the largest element (float32, sums in another order); the twin shows that it bites.
 */

import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-backend-wasm";
import "@tensorflow/tfjs-layers";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, test } from "vitest";
import { mend } from "./index";
import { type Kernel, replaceKernel } from "./registry";
import { reverseOneByOne } from "./reverse";

const TOLERANCE = 1e-5;

type Case = (...inputs: tf.Tensor[]) => tf.Tensor;

function numbers(size: number, offset: number): Float32Array {
  return Float32Array.from({ length: size }, (_, i) => Math.sin(12.9898 * (i + 1) + offset));
}

/** Give the gradients of a weighted sum of `f`'s output with respect to all inputs. */
async function gradients(backend: string, f: Case, shapes: number[][]): Promise<Float32Array[]> {
  await tf.setBackend(backend);
  const inputs = shapes.map((shape, i) => tf.tensor(numbers(tf.util.sizeFromShape(shape), i), shape));
  const loss: Case = (...values) => {
    const out = f(...values);
    return tf.sum(tf.mul(out, tf.tensor(numbers(out.size, 9), out.shape)));
  };
  const grads = tf.grads(loss as never)(inputs);
  return Promise.all(grads.map(async (grad) => (await grad.data()) as Float32Array));
}

function distance(ours: readonly Float32Array[], right: readonly Float32Array[]): number {
  const each = right.map((values, i) => {
    const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-12);
    return values.reduce((most, v, j) => Math.max(most, Math.abs(v - (ours[i]?.[j] ?? NaN))), 0) / largest;
  });
  return Math.max(...each);
}

const conv = (strides: number, pad: "same" | "valid"): Case => (x, filter) =>
  tf.conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, strides, pad);
const depthwise = (strides: number, pad: "same" | "valid"): Case => (x, filter) =>
  tf.depthwiseConv2d(x as tf.Tensor4D, filter as tf.Tensor4D, strides, pad);
const pool = (size: number, strides: number, pad: "same" | "valid"): Case => (x) =>
  tf.maxPool(x as tf.Tensor4D, size, strides, pad);
const volume = (strides: number, pad: "same" | "valid"): Case => (x, filter) =>
  tf.conv3d(x as tf.Tensor5D, filter as tf.Tensor5D, strides, pad);
const product = (left: boolean, right: boolean): Case => (a, b) => tf.matMul(a, b, left, right);
const ids = [0, 3, 3, 1];

const CASES: [string, Case, number[][]][] = [
  ["convolution, same", conv(1, "same"), [[2, 6, 5, 3], [3, 3, 3, 4]]],
  ["convolution, valid, strides 2", conv(2, "valid"), [[2, 7, 6, 3], [3, 2, 3, 4]]],
  ["convolution, same, strides 2", conv(2, "same"), [[3, 5, 5, 1], [3, 3, 1, 2]]],
  ["convolution narrower than its strides", (x, filter) => tf.conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, [1, 3], "same"), [[2, 6, 5, 2], [2, 2, 2, 3]]],
  ["transposed convolution narrower than its strides", (dy, filter) =>
    tf.conv2dTranspose(dy as tf.Tensor4D, filter as tf.Tensor4D, [2, 6, 6, 2], [1, 3], "same"), [[2, 6, 2, 3], [2, 2, 2, 3]]],
  ["depthwise convolution narrower than its strides", depthwise(2, "same"), [[2, 5, 5, 2], [2, 1, 2, 2]]],
  ["convolution by one place", conv(1, "valid"), [[2, 4, 4, 5], [1, 1, 5, 3]]],
  ["depthwise convolution, same", depthwise(1, "same"), [[2, 5, 6, 3], [3, 2, 3, 2]]],
  ["depthwise convolution, valid, strides 2", depthwise(2, "valid"), [[2, 7, 6, 2], [3, 3, 2, 1]]],
  ["depthwise convolution, same, strides 2", depthwise(2, "same"), [[1, 6, 5, 2], [3, 3, 2, 3]]],
  ["max pooling of negative windows", (x) => pool(2, 2, "valid")(tf.sub(x, 2)), [[2, 6, 6, 3]]],
  ["max pooling, same, overlapping", pool(3, 2, "same"), [[2, 7, 5, 2]]],
  ["embedding", (table) => tf.gather(table, tf.tensor1d(ids, "int32")), [[5, 3]]],
  ["embedding of two axes", (table) => tf.gather(table, tf.tensor2d(ids, [2, 2], "int32")), [[5, 3]]],
  ["product", product(false, false), [[4, 3], [3, 5]]],
  ["product, left transposed", product(true, false), [[3, 4], [3, 5]]],
  ["product, right transposed", product(false, true), [[4, 3], [5, 3]]],
  ["product, both transposed", product(true, true), [[3, 4], [5, 3]]],
  ["products in a batch, right transposed", product(false, true), [[2, 4, 3], [2, 5, 3]]],
  ["convolution of volumes, valid", volume(1, "valid"), [[2, 4, 5, 4, 2], [2, 3, 2, 2, 3]]],
  ["convolution of volumes, same, strides 2", volume(2, "same"), [[2, 4, 5, 4, 2], [3, 2, 2, 2, 3]]],
  ["transposed convolution of volumes", (dy, filter) =>
    tf.conv3dTranspose(dy as tf.Tensor5D, filter as tf.Tensor5D, [1, 4, 4, 4, 2], 2, "same"), [[1, 2, 2, 2, 3], [3, 3, 3, 2, 3]]],
  ["convolution of volumes, dilated", (x, filter) =>
    tf.conv3d(x as tf.Tensor5D, filter as tf.Tensor5D, 1, "valid", "NDHWC", [2, 2, 2]), [[1, 4, 4, 4, 2], [2, 2, 2, 2, 3]]],
  ["convolution, dilated", (x, filter) =>
    tf.conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, 1, "same", "NHWC", [2, 1]), [[2, 6, 5, 3], [3, 2, 3, 4]]],
  ["depthwise convolution, dilated", (x, filter) =>
    tf.depthwiseConv2d(x as tf.Tensor4D, filter as tf.Tensor4D, 1, "same", "NHWC", [2, 2]), [[2, 6, 5, 3], [2, 2, 3, 2]]],
  ["max pooling of volumes of negative windows", (x) =>
    tf.maxPool3d(tf.sub(x, 2) as tf.Tensor5D, 2, 2, "same"), [[2, 3, 4, 3, 2]]],
  ["average pooling over the border", (x) => tf.avgPool(x as tf.Tensor4D, 3, 2, "same"), [[2, 6, 5, 2]]],
  ["average pooling of volumes over the border", (x) => tf.avgPool3d(x as tf.Tensor5D, 3, 2, "same"), [[1, 4, 5, 3, 2]]],
  ["the larger of two, one stretched", (a, b) => tf.maximum(a, b), [[3, 4], [1, 4]]],
  ["nearest places of larger images", (x) => tf.image.resizeNearestNeighbor(x as tf.Tensor4D, [6, 8]), [[2, 3, 4, 2]]],
  ["larger images, smoothly", (x) => tf.image.resizeBilinear(x as tf.Tensor4D, [6, 8]), [[2, 3, 4, 2]]],
];

/** Every kernel of up to three places against every stride: some are narrower along one axis, or both. */
const SHORT = [1, 2, 3];
const ACROSS = SHORT.flatMap((kh) => SHORT.flatMap((kw) => SHORT.flatMap((sh) => SHORT.map((sw) => [kh, kw, sh, sw] as const))));

async function forward(backend: string, f: () => tf.Tensor): Promise<Float32Array[]> {
  await tf.setBackend(backend);
  const out = tf.tidy(f);
  const values = (await out.data()) as Float32Array;
  out.dispose();
  return [values];
}

beforeAll(async () => {
  await tf.setBackend("wasm");
  mend(tf, "wasm");
  mend(tf, "cpu");
});

test.each(CASES)("%s has on WASM the gradients that it has on CPU", async (_, f, shapes) => {
  const right = await gradients("cpu", f, shapes);
  expect(distance(await gradients("wasm", f, shapes), right)).toBeLessThan(TOLERANCE);
});

test.each(["conv2d", "fused conv2d", "depthwise", "fused depthwise"])(
  "%s padded same is right on WASM for kernels narrower and wider than strides",
  async (kind) => {
    for (const [kh, kw, ...strides] of ACROSS) {
      for (const [height, width] of [[6, 5], [7, 8]] as const) {
        const run = (): tf.Tensor => {
          const x = tf.tensor4d(numbers(2 * height * width * 2, 0), [2, height, width, 2]);
          const filter = tf.tensor4d(numbers(kh * kw * 6, 1), [kh, kw, 2, 3]);
          if (kind === "conv2d") return tf.conv2d(x, filter, strides, "same");
          if (kind === "depthwise") return tf.depthwiseConv2d(x, filter, strides, "same");
          const fused = kind === "fused conv2d" ? tf.fused.conv2d : tf.fused.depthwiseConv2d;
          const bias = tf.tensor1d(numbers(kind === "fused conv2d" ? 3 : 6, 2));
          return fused({ x, filter, strides, pad: "same", bias, activation: "relu" });
        };
        const right = await forward("cpu", run);
        expect(distance(await forward("wasm", run), right), `${kh},${kw} by ${strides.join()} on ${height},${width}`).toBeLessThan(TOLERANCE);
      }
    }
  },
);

test.each([[1], [[0, 3]], [[-1, 2]], [[]]] as [number | number[]][])("five axes are turned around at %j as on CPU", async (dims) => {
  await tf.setBackend("cpu");
  const x = tf.tensor(numbers(360, 0), [2, 3, 4, 3, 5]);
  const right = tf.reverse(x, dims);
  const stock = tf.getKernel("Reverse", "cpu").kernelFunc as unknown as Kernel;
  const upToFour: Kernel = (call) => {
    expect(call.inputs["x"]?.rank).toBeLessThan(5);
    return stock(call);
  };
  const found = reverseOneByOne(tf, upToFour)({ inputs: { x }, attrs: { dims }, backend: tf.backend() });
  expect(found.shape).toEqual(right.shape);
  expect((found as tf.Tensor).dataSync()).toEqual(right.dataSync());
});

test("mended kernels leave no tensor behind", async () => {
  await tf.setBackend("wasm");
  for (const [, f, shapes] of CASES) {
    const before = tf.memory().numTensors;
    const ids = tf.engine().backend.numDataIds();
    tf.tidy(() => {
      const inputs = shapes.map((shape) => tf.ones(shape));
      tf.grads(((...values: tf.Tensor[]) => tf.sum(f(...values))) as never)(inputs);
    });
    expect(tf.memory().numTensors).toBe(before);
    expect(tf.engine().backend.numDataIds()).toBe(ids);
  }
});

test("a filter gradient that is wrong by a thousandth fails the comparison", async () => {
  const [, f, shapes] = CASES[0] ?? [];
  if (f === undefined || shapes === undefined) throw new Error("there is no first case");
  const right = await gradients("cpu", f, shapes);
  await tf.setBackend("wasm");
  replaceKernel(tf, "Conv2DBackpropFilter", "wasm", (stock) => (call) => {
    const result = stock?.(call) as tf.Tensor;
    return tf.mul(result, 1.001);
  });
  expect(distance(await gradients("wasm", f, shapes), right)).toBeGreaterThan(TOLERANCE);
});

test("|x| rises from 0 upwards, as in Keras on JAX", async () => {
  await tf.setBackend("cpu");
  const gradient = tf.grad((x) => tf.sum(tf.abs(x)))(tf.tensor1d([-2, 0, 3]));
  expect(Array.from(await gradient.data())).toEqual([-1, 1, 1]);
});
