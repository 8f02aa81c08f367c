import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import { layers } from "@tensorflow/tfjs-layers";
import { beforeEach, describe, expect, test } from "vitest";
import { mend } from "../kernels";
import { rowLosses } from "../losses";
import { tf as own } from "../own_tf";
import { classLoss, registerClassLoss } from "./class_loss";
import { fuseConvolutions } from "./convolution";
import { fuseDense } from "./dense";

const EPSILON = 1e-7;

/** The same loss in TF.js's own operations. */
function plainLoss(outputs: tf.Tensor2D, targets: tf.Tensor1D): tf.Tensor {
  const p = tf.clipByValue(tf.div(outputs, tf.sum(outputs, -1, true)), EPSILON, 1 - EPSILON);
  const hits = tf.cast(tf.oneHot(targets, outputs.shape[1]), "float32");
  return tf.neg(tf.sum(tf.mul(hits, tf.log(p)), -1));
}

type Loss = (outputs: tf.Tensor2D) => tf.Tensor;

function valueAndGradient(loss: Loss, outputs: tf.Tensor2D): [number[], number[]] {
  return tf.tidy(() => {
    const weights = tf.tensor1d(Array.from({ length: outputs.shape[0] }, (_, i) => 0.5 + i));
    const gradient = tf.grad((y) => tf.sum(tf.mul(loss(y as tf.Tensor2D), weights)))(outputs);
    return [Array.from(loss(outputs).dataSync()), Array.from(gradient.dataSync())];
  });
}

function expectClose(found: number[], wanted: number[]): void {
  expect(found).toHaveLength(wanted.length);
  found.forEach((value, i) => expect(Math.abs(value - (wanted[i] ?? 0))).toBeLessThan(1e-5 * Math.max(1, Math.abs(value))));
}

describe.each(["cpu", "wasm"] as const)("on %s", (backend) => {
  beforeEach(async () => {
    await tf.setBackend(backend);
    mend(own, backend);
    fuseDense(backend);
    fuseConvolutions(backend);
    registerClassLoss(backend);
  });

  test("the class loss and its gradient are those of the operations that it stands for", () => {
    const outputs = tf.tensor2d([0.2, 0.3, 0.5, 0.1, 0.7, 0.4, 2, 1, 1, 1, 0, 0], [4, 3]);
    const targets = tf.tensor1d([2, 0, 1, 1], "int32");
    const found = valueAndGradient((y) => classLoss(y, targets), outputs);
    const wanted = valueAndGradient((y) => plainLoss(y, targets), outputs);
    expectClose(found[0], wanted[0]);
    expectClose(found[1], wanted[1]);
    // Another class's loss would be noticed.
    const others = tf.tensor1d([1, 0, 1, 1], "int32");
    expect(() => expectClose(valueAndGradient((y) => classLoss(y, others), outputs)[1], wanted[1])).toThrow();
  });

  test("what is no number stays none", () => {
    const outputs = tf.tensor2d([Number.NaN, 0.3, 0.5, 0.2], [2, 2]);
    const targets = tf.tensor1d([0, 1], "int32");
    const [values, gradient] = valueAndGradient((y) => rowLosses("sparse_categorical_crossentropy", targets, y, false), outputs);
    expect(values[0]).toBeNaN();
    expect(gradient[0]).toBeNaN();
    expect(values[1]).toBeGreaterThan(0);
  });

  test.each(["linear", "relu", "tanh"] as const)("a fused Dense with %s predicts and differentiates as unfused", (activation) => {
    const layer = layers.dense({ units: 3, activation, inputShape: [4] });
    const x = tf.randomNormal([5, 4], 0, 1, "float32", 3) as tf.Tensor2D;
    layer.apply(x);
    const [kernel, bias] = layer.getWeights() as [tf.Tensor2D, tf.Tensor1D];
    const plain = (input: tf.Tensor, w: tf.Tensor, b: tf.Tensor): tf.Tensor => {
      const z = tf.add(tf.matMul(input as tf.Tensor2D, w as tf.Tensor2D), b);
      return activation === "relu" ? tf.relu(z) : activation === "tanh" ? tf.tanh(z) : z;
    };
    const factors = tf.randomNormal([5, 3], 0, 1, "float32", 4);
    const wanted = tf.grads((a, w, b) => tf.sum(tf.mul(plain(a as tf.Tensor, w as tf.Tensor, b as tf.Tensor), factors)))([x, kernel, bias]);
    const ofInput = tf.grad((a) => tf.sum(tf.mul(layer.apply(a, { training: true }) as tf.Tensor, factors)))(x);
    const variables = layer.trainableWeights.map((weight) => weight.read() as tf.Variable);
    const { grads } = tf.variableGrads(() => tf.sum(tf.mul(layer.apply(x) as tf.Tensor, factors)) as tf.Scalar, variables);
    const found = [ofInput, ...variables.map(({ name }) => grads[name] as tf.Tensor)];
    expectClose(Array.from((layer.apply(x) as tf.Tensor).dataSync()), Array.from(plain(x, kernel, bias).dataSync()));
    found.forEach((gradient, i) => {
      expect(gradient.shape).toEqual(wanted[i]?.shape);
      expectClose(Array.from(gradient.dataSync()), Array.from(wanted[i]?.dataSync() ?? []));
    });
  });

  test.each([
    ["relu", "same", 1],
    ["relu", "valid", 2],
    ["tanh", "same", 2],
    ["linear", "valid", 1],
  ] as const)("a fused convolution with %s, %s by %d, predicts and differentiates as unfused", (activation, padding, strides) => {
    const layer = layers.conv2d({ filters: 3, kernelSize: 3, strides, padding, activation, inputShape: [6, 5, 2] });
    const x = tf.randomNormal([2, 6, 5, 2], 0, 1, "float32", 3) as tf.Tensor4D;
    layer.apply(x);
    const [filter, zero] = layer.getWeights() as [tf.Tensor4D, tf.Tensor1D];
    const bias = tf.add(zero, [0.1, -0.2, 0.3]) as tf.Tensor1D;
    layer.setWeights([filter, bias]);
    const plain = (input: tf.Tensor, w: tf.Tensor, b: tf.Tensor): tf.Tensor => {
      const z = tf.add(tf.conv2d(input as tf.Tensor4D, w as tf.Tensor4D, strides, padding), b);
      return activation === "relu" ? tf.relu(z) : activation === "tanh" ? tf.tanh(z) : z;
    };
    const factors = tf.randomNormal(plain(x, filter, bias).shape, 0, 1, "float32", 4);
    const wanted = tf.grads((a, w, b) => tf.sum(tf.mul(plain(a as tf.Tensor, w as tf.Tensor, b as tf.Tensor), factors)))([x, filter, bias]);
    const ofInput = tf.grad((a) => tf.sum(tf.mul(layer.apply(a, { training: true }) as tf.Tensor, factors)))(x);
    const variables = layer.trainableWeights.map((weight) => weight.read() as tf.Variable);
    const { grads } = tf.variableGrads(() => tf.sum(tf.mul(layer.apply(x) as tf.Tensor, factors)) as tf.Scalar, variables);
    const found = [ofInput, ...variables.map(({ name }) => grads[name] as tf.Tensor)];
    expectClose(Array.from((layer.apply(x) as tf.Tensor).dataSync()), Array.from(plain(x, filter, bias).dataSync()));
    found.forEach((gradient, i) => {
      expect(gradient.shape).toEqual(wanted[i]?.shape);
      expectClose(Array.from(gradient.dataSync()), Array.from(wanted[i]?.dataSync() ?? []));
    });
    // Half the bias would be noticed.
    layer.setWeights([filter, tf.div(bias, 2)]);
    const off = Array.from((layer.apply(x) as tf.Tensor).dataSync());
    expect(() => expectClose(off, Array.from(plain(x, filter, bias).dataSync()))).toThrow();
  });
});
