/** One loss for each row, as Keras 3 (on JAX) defines it. All shapes: outputs [rows, outputs] -> [rows]. */

import {
  add,
  cast,
  clipByValue,
  log,
  mean,
  mul,
  neg,
  oneHot,
  reshape,
  softplus,
  sub,
  sum,
  div,
  abs,
  squaredDifference,
  type Tensor,
  type Tensor1D,
} from "@tensorflow/tfjs-core";
import { classLoss, hasClassLoss } from "./fused/class_loss";
import type { LossName } from "../protocol/messages";
import { logSoftmax } from "./layers/activations";
import { tf } from "./own_tf";

/** Keras's backend epsilon. Always given explicitly: TF.js uses another one on WebGL. */
const EPSILON = 1e-7;

type RowLoss = (targets: Tensor, outputs: Tensor, fromLogits: boolean) => Tensor;

function crossEntropyOfClasses(targets: Tensor, outputs: Tensor, fromLogits: boolean): Tensor {
  if (!fromLogits && hasClassLoss(outputs)) return classLoss(outputs, targets);
  const classes = outputs.shape[outputs.shape.length - 1] ?? 1;
  const logs = fromLogits
    ? logSoftmax(tf, outputs)
    : log(clipByValue(div(outputs, sum(outputs, -1, true)), EPSILON, 1 - EPSILON));
  // Cast afterwards: asked for floats at once, TF.js on WASM writes the integers' bits.
  return neg(sum(mul(cast(oneHot(targets, classes), "float32"), logs), -1));
}

function crossEntropyOfTwo(targets: Tensor, outputs: Tensor, fromLogits: boolean): Tensor {
  const clipped = fromLogits ? outputs : clipByValue(outputs, EPSILON, 1 - EPSILON);
  // log sigmoid(x) = -softplus(-x). TF.js's own logSigmoid loses its input before the gradient.
  const yes = fromLogits ? neg(softplus(neg(outputs))) : log(clipped);
  const no = fromLogits ? neg(softplus(outputs)) : log(sub(1, clipped));
  return mean(neg(add(mul(targets, yes), mul(sub(1, targets), no))), -1);
}

const LOSSES: Readonly<Record<LossName, RowLoss>> = {
  sparse_categorical_crossentropy: crossEntropyOfClasses,
  binary_crossentropy: crossEntropyOfTwo,
  mean_squared_error: (targets, outputs) => mean(squaredDifference(outputs, targets), -1),
  mean_absolute_error: (targets, outputs) => mean(abs(sub(outputs, targets)), -1),
};

/** Compute each row's loss; `targets` is int32 [rows] for classes, else float32 [rows, outputs]. */
export function rowLosses(
  name: LossName,
  targets: Tensor,
  outputs: Tensor,
  fromLogits: boolean,
): Tensor1D {
  return reshape(LOSSES[name](targets, outputs, fromLogits), [-1]);
}
