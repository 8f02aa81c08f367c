/**
 * Losses of several outputs, one for each class, as Keras 3 (on JAX) defines them.
 * Targets: one-hot float32 [rows, classes]; outputs [rows, classes] -> [rows].
 */

import {
  add, clipByValue, div, log, max, maximum, minimum, mul, neg, pow, rsqrt, softmax, square, sub, sum, type Tensor,
} from "@tensorflow/tfjs-core";
import { logSoftmax } from "../layers/activations";
import { tf } from "../own_tf";
import { EPSILON, type LossOptions } from "./options";

function shares(outputs: Tensor): Tensor {
  return clipByValue(div(outputs, sum(outputs, -1, true)), EPSILON, 1 - EPSILON);
}

function smoothed(targets: Tensor, smoothing: number): Tensor {
  if (smoothing === 0) return targets;
  const classes = targets.shape[targets.shape.length - 1] ?? 1;
  return add(mul(targets, 1 - smoothing), smoothing / classes);
}

export function categoricalCrossEntropy(targets: Tensor, outputs: Tensor, logits: boolean, told: LossOptions): Tensor {
  const logs = logits ? logSoftmax(tf, outputs) : log(shares(outputs));
  return neg(sum(mul(smoothed(targets, told.label_smoothing ?? 0), logs), -1));
}

export function categoricalFocal(targets: Tensor, outputs: Tensor, logits: boolean, told: LossOptions): Tensor {
  const chances = shares(logits ? softmax(outputs, -1) : outputs);
  const entropy = mul(neg(smoothed(targets, told.label_smoothing ?? 0)), log(chances));
  const factor = mul(pow(sub(1, chances), told.gamma ?? 2), told.alpha ?? 0.25);
  return sum(mul(factor, entropy), -1);
}

export function categoricalHinge(targets: Tensor, outputs: Tensor): Tensor {
  const own = sum(mul(targets, outputs), -1);
  const other = max(mul(sub(1, targets), outputs), -1);
  return maximum(add(sub(other, own), 1), 0);
}

export function divergence(targets: Tensor, outputs: Tensor): Tensor {
  const right = clipByValue(targets, EPSILON, 1);
  return sum(mul(right, log(div(right, clipByValue(outputs, EPSILON, 1)))), -1);
}

function unit(values: Tensor): Tensor {
  return mul(values, minimum(rsqrt(sum(square(values), -1, true)), 1 / EPSILON));
}

export function cosineSimilarity(targets: Tensor, outputs: Tensor): Tensor {
  return neg(sum(mul(unit(targets), unit(outputs)), -1));
}
