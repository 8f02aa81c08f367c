/** Losses of a stack on GPUs; defined as in losses.ts. `row` is the row's number, `b` its place in the batch. */

import type { LossName } from "../../protocol/messages";

const LEAST = "1e-7";
const MOST = String(Math.fround(1 - 1e-7));

export interface DeviceLoss {
  /** Adds the row's loss to `value`: outputs are getZ(u, b, k), targets getT(row, k). */
  readonly loss: string;
  /** Gives `value`, the gradient of the mean by output `j`. */
  readonly gradient: string;
}

/** From logits `top` and `total` make probabilities. `clipped`: as they are given through softmax to Keras's loss. */
function ofClasses(size: number, clipped: boolean): DeviceLoss {
  const loop = (body: string): string => `for (INT k = 0; k < ${size}; k = k + 1) { ${body} }`;
  const found = `INT t = toInt(getT(row, 0) + 0.5);
    FLOAT top = getZ(u, b, 0); ${loop("top = max(top, getZ(u, b, k));")}
    FLOAT total = 0.0; ${loop("total = total + exp(getZ(u, b, k) - top);")}`;
  const p = "FLOAT p = exp(getZ(u, b, t) - top) / total;";
  return {
    loss: clipped
      ? `${found} ${p} value = value - log(clamp(p, ${LEAST}, ${MOST}));`
      : `${found} value = value + log(total) + top - getZ(u, b, t);`,
    gradient: `${found} value = exp(getZ(u, b, j) - top) / total; if (j == t) { value = value - 1.0; } value = value / rows;
      ${clipped ? `${p} if (p < ${LEAST} || p > ${MOST}) { value = 0.0; }` : ""}`,
  };
}

/** `term` finds l, and `slope` d, from the output y and the target t. */
function ofNumbers(size: number, term: string, slope: string): DeviceLoss {
  return {
    loss: `for (INT k = 0; k < ${size}; k = k + 1) { FLOAT y = getZ(u, b, k); FLOAT t = getT(row, k); FLOAT l = 0.0;
      ${term} value = value + l / ${size}.0; }`,
    gradient: `FLOAT y = getZ(u, b, j); FLOAT t = getT(row, j); FLOAT d = 0.0; ${slope} value = d / (rows * ${size}.0);`,
  };
}

/** Give a loss of `size` outputs; `afterSoftmax`: getZ gives what softmax would be given. Null: there is none. */
export function deviceLoss(name: LossName, fromLogits: boolean, afterSoftmax: boolean, size: number): DeviceLoss | null {
  switch (name) {
    case "sparse_categorical_crossentropy":
      return fromLogits !== afterSoftmax ? ofClasses(size, afterSoftmax) : null;
    case "binary_crossentropy":
      return fromLogits
        ? ofNumbers(
            size,
            "l = max(y, 0.0) - y * t + log(1.0 + exp(-abs(y)));",
            "d = 1.0 / (1.0 + exp(-clamp(y, -80.0, 80.0))) - t;",
          )
        : ofNumbers(
            size,
            `FLOAT p = clamp(y, ${LEAST}, ${MOST}); l = -(t * log(p) + (1.0 - t) * log(1.0 - p));`,
            `d = (1.0 - t) / (1.0 - y) - t / y; if (y < ${LEAST} || y > ${MOST}) { d = 0.0; }`,
          );
    case "mean_squared_error":
      return ofNumbers(size, "l = (y - t) * (y - t);", "d = 2.0 * (y - t);");
    case "mean_absolute_error":
      return ofNumbers(size, "l = abs(y - t);", "d = 1.0; if (y < t) { d = -1.0; }");
    default:
      return null;
  }
}
