/**
 * Losses of one output for two classes, and those of a whole batch, as Keras 3 (on JAX) defines them.
 * Targets and outputs: float32 [rows, outputs] -> [rows].
 */

import {
  add, clipByValue, div, log, maximum, mean, mul, neg, ones, pow, sigmoid, softplus, square, sub, sum, type Tensor,
} from "@tensorflow/tfjs-core";
import { EPSILON, type LossOptions } from "./options";

function smoothed(targets: Tensor, { label_smoothing }: LossOptions): Tensor {
  const by = label_smoothing ?? 0;
  return by === 0 ? targets : add(mul(targets, 1 - by), by / 2);
}

/** The mean of both answers, each as much as the target says. */
function either(targets: Tensor, yes: Tensor, no: Tensor): Tensor {
  return add(mul(targets, yes), mul(sub(1, targets), no));
}

function entropy(targets: Tensor, chances: Tensor): Tensor {
  const clipped = clipByValue(chances, EPSILON, 1 - EPSILON);
  return neg(either(targets, log(clipped), log(sub(1, clipped))));
}

export function binaryCrossEntropy(targets: Tensor, outputs: Tensor, logits: boolean, told: LossOptions): Tensor {
  const right = smoothed(targets, told);
  if (!logits) return mean(entropy(right, outputs), -1);
  // log sigmoid(x) = -softplus(-x). TF.js's own logSigmoid loses its input before the gradient.
  return mean(either(right, softplus(neg(outputs)), softplus(outputs)), -1);
}

export function binaryFocal(targets: Tensor, outputs: Tensor, logits: boolean, told: LossOptions): Tensor {
  const right = smoothed(targets, told);
  const chances = logits ? sigmoid(outputs) : outputs;
  const missed = sub(1, either(right, chances, sub(1, chances)));
  const gamma = told.gamma ?? 2;
  // The zeroth power of nothing has no gradient: TF.js would make NaN of it.
  const focal = gamma === 0 ? entropy(right, chances) : mul(pow(missed, gamma), entropy(right, chances));
  if (told.apply_class_balancing !== true) return mean(focal, -1);
  const alpha = told.alpha ?? 0.25;
  const balance = add(mul(right, alpha), mul(sub(1, right), 1 - alpha));
  return mean(mul(balance, focal), -1);
}

/** Targets are -1 and 1. */
export function hinge(targets: Tensor, outputs: Tensor): Tensor {
  return mean(maximum(sub(1, mul(targets, outputs)), 0), -1);
}

/** Targets are -1 and 1. */
export function squaredHinge(targets: Tensor, outputs: Tensor): Tensor {
  return mean(square(maximum(sub(1, mul(targets, outputs)), 0)), -1);
}

/** A batch's loss, as each of its rows has it: the mean over rows is Keras's, weighted or not. */
function ofBatch(loss: Tensor, outputs: Tensor): Tensor {
  return mul(ones([outputs.shape[0] ?? 0]), loss);
}

export function dice(targets: Tensor, outputs: Tensor): Tensor {
  const shared = mul(2, sum(mul(targets, outputs)));
  const all = add(add(sum(targets), sum(outputs)), EPSILON);
  return ofBatch(sub(1, div(shared, all)), outputs);
}

export function tversky(targets: Tensor, outputs: Tensor, _logits: boolean, told: LossOptions): Tensor {
  const shared = sum(mul(targets, outputs));
  // In Keras's words alpha weighs what is true and was missed.
  const missed = mul(sum(mul(sub(1, outputs), targets)), told.alpha ?? 0.5);
  const invented = mul(sum(mul(outputs, sub(1, targets))), told.beta ?? 0.5);
  const all = add(add(shared, add(missed, invented)), EPSILON);
  return ofBatch(sub(1, div(shared, all)), outputs);
}
