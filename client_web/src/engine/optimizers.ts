/**
 * Keras 3's optimizers as functions of one weight: no state, no variables of their own. Slots carry
 * Keras's names, so that a checkpoint goes on anywhere. Epsilon is where Keras has it: outside the root
 * in Adam, inside in RMSprop.
 */

import { add, div, mul, rsqrt, sqrt, square, sub, type Tensor } from "@tensorflow/tfjs-core";
import type { Optimizer } from "../protocol/messages";

export interface Update {
  readonly weight: Tensor;
  /** In the order of `slotNames`. */
  readonly slots: readonly Tensor[];
}

/** One weight's step. `iteration` counts this step as well, from 1. */
export type Rule = (
  weight: Tensor,
  gradient: Tensor,
  slots: readonly Tensor[],
  iteration: number,
) => Update;

export interface OptimizerRule {
  readonly slotNames: readonly string[];
  readonly apply: Rule;
}

function slot(slots: readonly Tensor[], index: number): Tensor {
  const tensor = slots[index];
  if (tensor === undefined) throw new Error(`optimizer slot ${index} is missing`);
  return tensor;
}

function sgd(learningRate: number, momentum: number, nesterov: boolean): OptimizerRule {
  if (momentum === 0) {
    const apply: Rule = (weight, gradient) => ({
      weight: sub(weight, mul(gradient, learningRate)),
      slots: [],
    });
    return { slotNames: [], apply };
  }
  const apply: Rule = (weight, gradient, slots) => {
    const scaled = mul(gradient, learningRate);
    const moved = sub(mul(slot(slots, 0), momentum), scaled);
    const change = nesterov ? sub(mul(moved, momentum), scaled) : moved;
    return { weight: add(weight, change), slots: [moved] };
  };
  return { slotNames: ["momentum"], apply };
}

function adam(
  learningRate: number,
  beta1: number,
  beta2: number,
  epsilon: number,
): OptimizerRule {
  const apply: Rule = (weight, gradient, slots, iteration) => {
    const rate = (learningRate * Math.sqrt(1 - beta2 ** iteration)) / (1 - beta1 ** iteration);
    const m = slot(slots, 0);
    const v = slot(slots, 1);
    const momentum = add(m, mul(sub(gradient, m), 1 - beta1));
    const velocity = add(v, mul(sub(square(gradient), v), 1 - beta2));
    const change = div(mul(momentum, rate), add(sqrt(velocity), epsilon));
    return { weight: sub(weight, change), slots: [momentum, velocity] };
  };
  return { slotNames: ["momentum", "velocity"], apply };
}

function rmsprop(
  learningRate: number,
  rho: number,
  momentum: number,
  epsilon: number,
): OptimizerRule {
  const apply: Rule = (weight, gradient, slots) => {
    const velocity = add(mul(slot(slots, 0), rho), mul(square(gradient), 1 - rho));
    const step = mul(mul(gradient, learningRate), rsqrt(add(velocity, epsilon)));
    if (momentum === 0) return { weight: sub(weight, step), slots: [velocity] };
    const moved = add(mul(slot(slots, 1), momentum), step);
    return { weight: sub(weight, moved), slots: [velocity, moved] };
  };
  return { slotNames: momentum === 0 ? ["velocity"] : ["velocity", "momentum"], apply };
}

/** Give the rule for an optimizer as the wire describes it; defaults are Keras's. */
export function optimizerRule(optimizer: Optimizer): OptimizerRule {
  const { learning_rate: rate } = optimizer;
  switch (optimizer.name) {
    case "adam": {
      const { beta_1 = 0.9, beta_2 = 0.999, epsilon = 1e-7 } = optimizer;
      return adam(rate, beta_1, beta_2, epsilon);
    }
    case "rmsprop": {
      const { rho = 0.9, momentum = 0, epsilon = 1e-7 } = optimizer;
      return rmsprop(rate, rho, momentum, epsilon);
    }
    default:
      return sgd(rate, optimizer.momentum ?? 0, optimizer.nesterov ?? false);
  }
}
