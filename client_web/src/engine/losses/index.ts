/** One loss for each row, as Keras 3 (on JAX) defines it. */

import { cast, mul, oneHot, reshape, type Tensor, type Tensor1D } from "@tensorflow/tfjs-core";
import type { LossName } from "../../protocol/messages";
import { classLoss, hasClassLoss } from "../fused/class_loss";
import { absoluteError, huber, logCosh, percentageError, poisson, squaredError, squaredLogarithmicError } from "./amounts";
import { categoricalCrossEntropy, categoricalFocal, categoricalHinge, cosineSimilarity, divergence } from "./classes";
import type { LossOptions } from "./options";
import { binaryCrossEntropy, binaryFocal, dice, hinge, squaredHinge, tversky } from "./two";

export type { LossOptions } from "./options";

type RowLoss = (targets: Tensor, outputs: Tensor, fromLogits: boolean, told: LossOptions) => Tensor;

const LOSSES: Readonly<Record<LossName, RowLoss>> = {
  sparse_categorical_crossentropy: categoricalCrossEntropy,
  categorical_crossentropy: categoricalCrossEntropy,
  categorical_focal_crossentropy: categoricalFocal,
  categorical_hinge: categoricalHinge,
  kl_divergence: divergence,
  cosine_similarity: cosineSimilarity,
  binary_crossentropy: binaryCrossEntropy,
  binary_focal_crossentropy: binaryFocal,
  hinge,
  squared_hinge: squaredHinge,
  dice,
  tversky,
  mean_squared_error: squaredError,
  mean_absolute_error: absoluteError,
  mean_absolute_percentage_error: percentageError,
  mean_squared_logarithmic_error: squaredLogarithmicError,
  huber,
  log_cosh: logCosh,
  poisson,
};

/** Names under which unsmoothed class numbers have the fused loss. */
const OF_NUMBERS: ReadonlySet<LossName> = new Set(["sparse_categorical_crossentropy", "categorical_crossentropy"]);

/** Compute each row's loss [rows]; `targets` is int32 [rows] for classes, else float32 [rows, outputs]. */
export function rowLosses(
  name: LossName,
  targets: Tensor,
  outputs: Tensor,
  fromLogits: boolean,
  told: LossOptions = {},
): Tensor1D {
  const numbers = targets.dtype === "int32";
  const plain = OF_NUMBERS.has(name) && !fromLogits && (told.label_smoothing ?? 0) === 0;
  if (numbers && plain && hasClassLoss(outputs)) return reshape(classLoss(outputs, targets), [-1]);
  const classes = outputs.shape[outputs.shape.length - 1] ?? 1;
  // Cast afterwards: asked for floats at once, TF.js on WASM writes the integers' bits.
  const given = numbers ? cast(oneHot(targets, classes), "float32") : targets;
  return reshape(LOSSES[name](given, outputs, fromLogits, told), [-1]);
}

/** Multiply row losses by the rows' weights; the mean is still over rows, as in Keras. */
export function weighted(losses: Tensor1D, weights: Tensor1D | null): Tensor1D {
  return weights === null ? losses : mul(losses, weights);
}
