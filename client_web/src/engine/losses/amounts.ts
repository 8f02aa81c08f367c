/** Losses of amounts, as Keras 3 (on JAX) defines them. Shapes: [rows, outputs] -> [rows]. */

import {
  abs, add, div, log, maximum, mean, minimum, mul, softplus, square, squaredDifference, sub, type Tensor,
} from "@tensorflow/tfjs-core";
import { EPSILON, type LossOptions } from "./options";

export function squaredError(targets: Tensor, outputs: Tensor): Tensor {
  return mean(squaredDifference(outputs, targets), -1);
}

export function absoluteError(targets: Tensor, outputs: Tensor): Tensor {
  return mean(abs(sub(outputs, targets)), -1);
}

export function percentageError(targets: Tensor, outputs: Tensor): Tensor {
  const shares = abs(div(sub(targets, outputs), maximum(abs(targets), EPSILON)));
  return mul(100, mean(shares, -1));
}

function logOfOneMore(values: Tensor): Tensor {
  return log(add(maximum(values, EPSILON), 1));
}

export function squaredLogarithmicError(targets: Tensor, outputs: Tensor): Tensor {
  return mean(square(sub(logOfOneMore(outputs), logOfOneMore(targets))), -1);
}

/** Half the square up to `delta`, from there on a straight line. */
export function huber(targets: Tensor, outputs: Tensor, _logits: boolean, told: LossOptions): Tensor {
  const delta = told.delta ?? 1;
  const error = abs(sub(outputs, targets));
  const bent = minimum(error, delta);
  return mean(add(mul(0.5, square(bent)), mul(delta, sub(error, bent))), -1);
}

export function logCosh(targets: Tensor, outputs: Tensor): Tensor {
  const error = sub(outputs, targets);
  return mean(sub(add(error, softplus(mul(error, -2))), Math.LN2), -1);
}

export function poisson(targets: Tensor, outputs: Tensor): Tensor {
  return mean(sub(outputs, mul(targets, log(add(outputs, EPSILON)))), -1);
}
