/** Each row's loss and its gradient where JavaScript reaches the memory; defined as in losses.ts. */

import type { LossName } from "../../protocol/messages";

/** Keras's backend epsilon, and what is left of 1, as float32 has them. */
const LEAST = Math.fround(1e-7);
const MOST = Math.fround(1 - 1e-7);

export interface LossPass {
  readonly floats: Float32Array;
  readonly outputs: number;
  /** Where the gradient of the mean loss goes. */
  readonly gradient: number;
  /** Numbers of a row of outputs. */
  readonly size: number;
  readonly targets: Float32Array | Int32Array;
  /** The rows of the batch, by number. */
  readonly order: Int32Array;
}

/** Write a batch's gradient, and give the sum of its rows' losses. */
export type HostLoss = (pass: LossPass) => number;

type PerNumber = (output: number, target: number) => readonly [loss: number, slope: number];

function classes({ floats, outputs, gradient, size, targets, order }: LossPass): number {
  const rows = order.length;
  let loss = 0;
  for (let row = 0; row < rows; row++) {
    const at = outputs + row * size;
    const to = gradient + row * size;
    const target = targets[order[row] as number] as number;
    let total = 0;
    for (let j = 0; j < size; j++) total += floats[at + j] as number;
    const p = (floats[at + target] ?? Number.NaN) / total;
    loss -= Math.log(Math.min(Math.max(p, LEAST), MOST));
    // NaN is outside of neither bound, and goes on.
    const factor = p < LEAST || p > MOST ? 0 : -1 / (rows * p * total);
    for (let j = 0; j < size; j++) floats[to + j] = factor * ((j === target ? 1 : 0) - p);
  }
  return loss;
}

function classesFromLogits({ floats, outputs, gradient, size, targets, order }: LossPass): number {
  const rows = order.length;
  let loss = 0;
  for (let row = 0; row < rows; row++) {
    const at = outputs + row * size;
    const to = gradient + row * size;
    const target = targets[order[row] as number] as number;
    let top = Number.NEGATIVE_INFINITY;
    for (let j = 0; j < size; j++) top = Math.max(top, floats[at + j] as number);
    let total = 0;
    for (let j = 0; j < size; j++) total += Math.exp((floats[at + j] as number) - top);
    loss += Math.log(total) + top - (floats[at + target] ?? Number.NaN);
    for (let j = 0; j < size; j++) {
      const p = Math.exp((floats[at + j] as number) - top) / total;
      floats[to + j] = (p - (j === target ? 1 : 0)) / rows;
    }
  }
  return loss;
}

function each(formula: PerNumber): HostLoss {
  return ({ floats, outputs, gradient, size, targets, order }) => {
    const rows = order.length;
    let sum = 0;
    for (let row = 0; row < rows; row++) {
      const target = (order[row] as number) * size;
      for (let j = 0; j < size; j++) {
        const at = row * size + j;
        const [loss, slope] = formula(floats[outputs + at] as number, targets[target + j] as number);
        sum += loss;
        floats[gradient + at] = slope / (size * rows);
      }
    }
    return sum / size;
  };
}

function ofTwo(p: number, target: number): readonly [number, number] {
  const clipped = Math.min(Math.max(p, LEAST), MOST);
  const loss = -(target * Math.log(clipped) + (1 - target) * Math.log(1 - clipped));
  const outside = p < LEAST || p > MOST;
  return [loss, outside ? 0 : (1 - target) / (1 - clipped) - target / clipped];
}

function ofTwoFromLogits(x: number, target: number): readonly [number, number] {
  const loss = Math.max(x, 0) - x * target + Math.log1p(Math.exp(-Math.abs(x)));
  return [loss, 1 / (1 + Math.exp(-x)) - target];
}

/** Give a loss, or null where a stack has none of that name. */
export function hostLoss(name: LossName, fromLogits: boolean): HostLoss | null {
  switch (name) {
    case "sparse_categorical_crossentropy":
      return fromLogits ? classesFromLogits : classes;
    case "binary_crossentropy":
      return each(fromLogits ? ofTwoFromLogits : ofTwo);
    case "mean_squared_error":
      return each((output, target) => [(output - target) ** 2, 2 * (output - target)]);
    case "mean_absolute_error":
      return each((output, target) => [Math.abs(output - target), output >= target ? 1 : -1]);
    default:
      return null;
  }
}
