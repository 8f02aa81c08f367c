/**
 * Every loss and option against Keras 3 on JAX: value and gradient, weighted or not, on CPU and WASM.
 * Oracle: loss_cases.gen.json, written by oracle/loss_cases.py. The tolerance is 1e-5 of the largest
 * element (float32); the twins show that it bites.
 */

import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import type { LossName } from "../../protocol/messages";
import { registerClassLoss } from "../fused/class_loss";
import { mend } from "../kernels";
import { tf as own } from "../own_tf";
import { type LossOptions, rowLosses, weighted } from "./index";

interface Case {
  readonly loss: LossName;
  readonly from_logits: boolean;
  readonly options: LossOptions;
  readonly kind: string;
  readonly shape: [number, number];
  readonly outputs: number[];
  readonly targets: number[];
  readonly weights: number[] | null;
  readonly value: number;
  readonly gradient: number[];
}

const TOLERANCE = 1e-5;
const CASES = JSON.parse(readFileSync(new URL("./loss_cases.gen.json", import.meta.url), "utf8")) as Case[];

const nameOf = ({ loss, kind, from_logits, options, weights }: Case): string =>
  [loss, kind, from_logits ? "logits" : "", JSON.stringify(options), weights ? "weighted" : ""].join(" ");

/** Distance from Keras of a batch's mean loss and of its gradient, relative to their largest element. */
function distance(told: Case, right: Case = told): number {
  return tf.tidy(() => {
    const rows = told.shape[0];
    const targets =
      told.kind === "classes" ? tf.tensor1d(told.targets, "int32") : tf.tensor2d(told.targets, [rows, 1]);
    const weights = told.weights === null ? null : tf.tensor1d(told.weights);
    const mean = (outputs: tf.Tensor): tf.Scalar =>
      tf.mean(weighted(rowLosses(told.loss, targets, outputs, told.from_logits, told.options), weights));
    const outputs = tf.tensor2d(told.outputs, told.shape);
    const found = Array.from(tf.grad(mean)(outputs).dataSync());
    const value = mean(outputs).dataSync()[0] ?? Number.NaN;
    const largest = Math.max(...right.gradient.map(Math.abs));
    const errors = found.map((element, i) => Math.abs(element - (right.gradient[i] ?? 0)) / largest);
    return Math.max(Math.abs(value - right.value) / Math.max(Math.abs(right.value), 1e-3), ...errors);
  });
}

describe.each(["cpu", "wasm"] as const)("on %s", (backend) => {
  beforeAll(async () => {
    await tf.setBackend(backend);
    mend(own, backend);
    registerClassLoss(backend);
  });

  test.each(CASES.map((told) => [nameOf(told), told] as const))("%s", (_, told) => {
    expect(distance(told)).toBeLessThan(TOLERANCE);
  });

  test("another weight, option or reading of the outputs is noticed in every loss that has one", () => {
    for (const told of CASES) {
      const wrong: Case[] = [];
      if (told.weights !== null) wrong.push({ ...told, weights: told.weights.map((w, i) => (i === 3 ? w * 1.01 : w)) });
      for (const [option, value] of Object.entries(told.options)) {
        if (typeof value !== "number") continue;
        wrong.push({ ...told, options: { ...told.options, [option]: value + 0.01 } });
      }
      if (told.loss.endsWith("crossentropy")) wrong.push({ ...told, from_logits: !told.from_logits });
      for (const other of wrong) expect(distance(other, told), nameOf(other)).toBeGreaterThan(10 * TOLERANCE);
    }
  });
});

test("one-hot rows and class numbers have one loss, fused or not", async () => {
  await tf.setBackend("cpu");
  const outputs = tf.tensor2d([0.2, 0.3, 0.5, 0.1, 0.7, 0.2], [2, 3]);
  const numbers = tf.tensor1d([2, 0], "int32");
  const rows = tf.tensor2d([0, 0, 1, 1, 0, 0], [2, 3]);
  const fused = rowLosses("sparse_categorical_crossentropy", numbers, outputs, false).dataSync();
  const plain = rowLosses("categorical_crossentropy", rows, outputs, false).dataSync();
  plain.forEach((value, i) => expect(value).toBeCloseTo(fused[i] ?? Number.NaN, 6));
});
