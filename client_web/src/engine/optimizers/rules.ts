/**
 * Keras 3's optimizers as one pass over a weight. Each is written twice, for memory that JavaScript reaches
 * (CPU, WASM) and as a body for shaders (WebGL, WebGPU); a test holds the two together. Slots carry Keras's
 * names, so that a checkpoint goes on anywhere. Epsilon is where Keras has it: outside the root in Adam,
 * inside in RMSprop.
 */

import type { Optimizer } from "../../protocol/messages";

/** One weight in memory: `next` is written, `slots` are changed in place. */
export interface Pass {
  readonly next: Float32Array;
  readonly weight: Float32Array;
  readonly gradient: Float32Array;
  /** In the order of `slotNames`. */
  readonly slots: readonly Float32Array[];
}

export interface OptimizerRule {
  readonly slotNames: readonly string[];
  /** Numbers of one step, the same for all weights. `iteration` counts this step as well, from 1. */
  readonly constants: (iteration: number) => readonly number[];
  readonly onHost: (pass: Pass, constants: readonly number[]) => void;
  /** Assigns w and the slots s0, s1 from w, g, s0, s1 and the constants c0, c1, ...: GLSL and WGSL alike. */
  readonly shader: string;
}

/** Numbers of a step by position; a missing one would be a mistake of ours. */
function at(values: readonly number[], index: number): number {
  const value = values[index];
  if (value === undefined) throw new Error(`constant ${index} of the optimizer is missing`);
  return value;
}

function slot(slots: readonly Float32Array[], index: number): Float32Array {
  const values = slots[index];
  if (values === undefined) throw new Error(`optimizer slot ${index} is missing`);
  return values;
}

function sgd(rate: number): OptimizerRule {
  return {
    slotNames: [],
    constants: () => [rate],
    onHost({ next, weight, gradient }, constants) {
      const c0 = at(constants, 0);
      for (let i = 0; i < next.length; i++) next[i] = (weight[i] as number) - (gradient[i] as number) * c0;
    },
    shader: "w = w - g * c0;",
  };
}

function sgdWithMomentum(rate: number, momentum: number, nesterov: boolean): OptimizerRule {
  return {
    slotNames: ["momentum"],
    constants: () => [rate, momentum],
    onHost({ next, weight, gradient, slots }, constants) {
      const [c0, c1, velocity] = [at(constants, 0), at(constants, 1), slot(slots, 0)];
      for (let i = 0; i < next.length; i++) {
        const scaled = (gradient[i] as number) * c0;
        velocity[i] = (velocity[i] as number) * c1 - scaled;
        const moved = velocity[i] as number;
        next[i] = (weight[i] as number) + (nesterov ? moved * c1 - scaled : moved);
      }
    },
    shader: `s0 = s0 * c1 - g * c0; w = w + ${nesterov ? "s0 * c1 - g * c0" : "s0"};`,
  };
}

function adam(rate: number, beta1: number, beta2: number, epsilon: number): OptimizerRule {
  return {
    slotNames: ["momentum", "velocity"],
    constants: (iteration) => [
      (rate * Math.sqrt(1 - beta2 ** iteration)) / (1 - beta1 ** iteration),
      1 - beta1,
      1 - beta2,
      epsilon,
    ],
    onHost({ next, weight, gradient, slots }, constants) {
      const [c0, c1, c2, c3] = [at(constants, 0), at(constants, 1), at(constants, 2), at(constants, 3)];
      const [momentum, velocity] = [slot(slots, 0), slot(slots, 1)];
      for (let i = 0; i < next.length; i++) {
        const g = gradient[i] as number;
        const m = (momentum[i] as number) + (g - (momentum[i] as number)) * c1;
        const v = (velocity[i] as number) + (g * g - (velocity[i] as number)) * c2;
        momentum[i] = m;
        velocity[i] = v;
        next[i] = (weight[i] as number) - (m * c0) / (Math.sqrt(v) + c3);
      }
    },
    shader: "s0 = s0 + (g - s0) * c1; s1 = s1 + (g * g - s1) * c2; w = w - s0 * c0 / (sqrt(s1) + c3);",
  };
}

function rmsprop(rate: number, rho: number, momentum: number, epsilon: number): OptimizerRule {
  const moving = momentum !== 0;
  const move = "g * c0 / sqrt(s0 + c3)";
  return {
    slotNames: moving ? ["velocity", "momentum"] : ["velocity"],
    constants: () => [rate, rho, momentum, epsilon],
    onHost({ next, weight, gradient, slots }, constants) {
      const [c0, c1, c2, c3] = [at(constants, 0), at(constants, 1), at(constants, 2), at(constants, 3)];
      const velocity = slot(slots, 0);
      const moved = moving ? slot(slots, 1) : null;
      for (let i = 0; i < next.length; i++) {
        const g = gradient[i] as number;
        const v = (velocity[i] as number) * c1 + g * g * (1 - c1);
        velocity[i] = v;
        let step = (g * c0) / Math.sqrt(v + c3);
        if (moved !== null) {
          step += (moved[i] as number) * c2;
          moved[i] = step;
        }
        next[i] = (weight[i] as number) - step;
      }
    },
    shader: `s0 = s0 * c1 + g * g * (1.0 - c1); ${moving ? `s1 = s1 * c2 + ${move}; w = w - s1;` : `w = w - ${move};`}`,
  };
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
    default: {
      const { momentum = 0, nesterov = false } = optimizer;
      return momentum === 0 ? sgd(rate) : sgdWithMomentum(rate, momentum, nesterov);
    }
  }
}
