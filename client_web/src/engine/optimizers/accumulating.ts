/** Keras 3's optimizers that add gradients up: Adagrad, Adadelta, Ftrl. Epsilon is inside their roots. */

import { at, slot, type Update } from "./update";

export function adagrad(initial: number, epsilon: number): Update {
  return {
    slotNames: ["accumulator"],
    initial: [initial],
    constants: (_, rate) => [rate, epsilon],
    onHost({ next, weight, gradient, slots }, constants) {
      const [c0, c1, accumulator] = [at(constants, 0), at(constants, 1), slot(slots, 0)];
      for (let i = 0; i < next.length; i++) {
        const g = gradient[i] as number;
        const total = (accumulator[i] as number) + g * g;
        accumulator[i] = total;
        next[i] = (weight[i] as number) - (g * c0) / Math.sqrt(total + c1);
      }
    },
    shader: "s0 = s0 + g * g; w = w - g * c0 / sqrt(s0 + c1);",
  };
}

export function adadelta(rho: number, epsilon: number): Update {
  return {
    slotNames: ["accumulated_grad", "accumulated_delta_var"],
    initial: [0, 0],
    constants: (_, rate) => [rate, rho, 1 - rho, epsilon],
    onHost({ next, weight, gradient, slots }, constants) {
      const [c0, c1, c2, c3] = [at(constants, 0), at(constants, 1), at(constants, 2), at(constants, 3)];
      const [grads, deltas] = [slot(slots, 0), slot(slots, 1)];
      for (let i = 0; i < next.length; i++) {
        const g = gradient[i] as number;
        const total = (grads[i] as number) * c1 + g * g * c2;
        const before = deltas[i] as number;
        const delta = (Math.sqrt(before + c3) * g) / Math.sqrt(total + c3);
        grads[i] = total;
        deltas[i] = before * c1 + delta * delta * c2;
        next[i] = (weight[i] as number) - delta * c0;
      }
    },
    shader:
      "s0 = s0 * c1 + g * g * c2; g = sqrt(s1 + c3) * g / sqrt(s0 + c3); " +
      "s1 = s1 * c1 + g * g * c2; w = w - g * c0;",
  };
}

export interface FtrlOptions {
  readonly power: number;
  readonly initial: number;
  readonly l1: number;
  readonly l2: number;
  readonly shrinkage: number;
  readonly beta: number;
}

export function ftrl({ power, initial, l1, l2, shrinkage, beta }: FtrlOptions): Update {
  const rooted = power === -0.5;
  const raised = (x: string): string => (rooted ? `sqrt(${x})` : `pow(${x}, c1)`);
  return {
    slotNames: ["accumulator", "linear"],
    initial: [initial, 0],
    constants: (_, rate) => [rate, -power, l1, 2 * (beta === 0 ? l2 : l2 + beta / (2 * rate)), 2 * shrinkage],
    onHost({ next, weight, gradient, slots }, constants) {
      const [c0, c1, c2] = [at(constants, 0), at(constants, 1), at(constants, 2)];
      const [c3, c4] = [at(constants, 3), at(constants, 4)];
      const [accumulator, linear] = [slot(slots, 0), slot(slots, 1)];
      for (let i = 0; i < next.length; i++) {
        const [g, w, old] = [gradient[i] as number, weight[i] as number, accumulator[i] as number];
        const total = old + g * g;
        const [after, before] = rooted ? [Math.sqrt(total), Math.sqrt(old)] : [total ** c1, old ** c1];
        const line = (linear[i] as number) + (g + w * c4 - ((after - before) / c0) * w);
        accumulator[i] = total;
        linear[i] = line;
        next[i] = (Math.min(Math.max(line, -c2), c2) - line) / (after / c0 + c3);
      }
    },
    shader:
      `s1 = s1 + (g + w * c4 - (${raised("s0 + g * g")} - ${raised("s0")}) / c0 * w); s0 = s0 + g * g; ` +
      `w = (clamp(s1, -c2, c2) - s1) / (${raised("s0")} / c0 + c3);`,
  };
}
