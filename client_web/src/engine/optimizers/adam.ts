/** Keras 3's Adam and its relatives. Epsilon is where Keras has it: outside Adam's root. */

import { at, slot, type Update } from "./update";

export interface Betas {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

export function adam({ beta1, beta2, epsilon }: Betas, amsgrad: boolean): Update {
  const of = amsgrad ? "s2" : "s1";
  return {
    slotNames: ["momentum", "velocity", ...(amsgrad ? ["velocity_hat"] : [])],
    initial: amsgrad ? [0, 0, 0] : [0, 0],
    constants: (iteration, rate) => [
      (rate * Math.sqrt(1 - beta2 ** iteration)) / (1 - beta1 ** iteration),
      1 - beta1,
      1 - beta2,
      epsilon,
    ],
    onHost({ next, weight, gradient, slots }, constants) {
      const [c0, c1, c2, c3] = [at(constants, 0), at(constants, 1), at(constants, 2), at(constants, 3)];
      const [momentum, velocity] = [slot(slots, 0), slot(slots, 1)];
      const largest = amsgrad ? slot(slots, 2) : null;
      for (let i = 0; i < next.length; i++) {
        const g = gradient[i] as number;
        const m = (momentum[i] as number) + (g - (momentum[i] as number)) * c1;
        let v = (velocity[i] as number) + (g * g - (velocity[i] as number)) * c2;
        momentum[i] = m;
        velocity[i] = v;
        if (largest !== null) {
          v = Math.max(largest[i] as number, v);
          largest[i] = v;
        }
        next[i] = (weight[i] as number) - (m * c0) / (Math.sqrt(v) + c3);
      }
    },
    shader:
      "s0 = s0 + (g - s0) * c1; s1 = s1 + (g * g - s1) * c2; " +
      `${amsgrad ? "s2 = max(s2, s1); " : ""}w = w - s0 * c0 / (sqrt(${of}) + c3);`,
  };
}

export function adamax({ beta1, beta2, epsilon }: Betas): Update {
  return {
    slotNames: ["momentum", "norm"],
    initial: [0, 0],
    constants: (iteration, rate) => [rate / (1 - beta1 ** iteration), 1 - beta1, beta2, epsilon],
    onHost({ next, weight, gradient, slots }, constants) {
      const [c0, c1, c2, c3] = [at(constants, 0), at(constants, 1), at(constants, 2), at(constants, 3)];
      const [momentum, norm] = [slot(slots, 0), slot(slots, 1)];
      for (let i = 0; i < next.length; i++) {
        const g = gradient[i] as number;
        const m = (momentum[i] as number) + (g - (momentum[i] as number)) * c1;
        const u = Math.max((norm[i] as number) * c2, Math.abs(g));
        momentum[i] = m;
        norm[i] = u;
        next[i] = (weight[i] as number) - (m * c0) / (u + c3);
      }
    },
    shader: "s0 = s0 + (g - s0) * c1; s1 = max(s1 * c2, abs(g)); w = w - s0 * c0 / (s1 + c3);",
  };
}

/** The product of Nadam's momenta up to an iteration: Keras keeps it, here it follows from the iteration. */
function momenta(beta1: number): { at: (iteration: number) => number; product: (iteration: number) => number } {
  const here = (iteration: number): number => beta1 * (1 - 0.5 * 0.96 ** iteration);
  let [known, value] = [0, 1];
  const product = (iteration: number): number => {
    if (iteration < known) [known, value] = [0, 1];
    while (known < iteration) value *= here(++known);
    return value;
  };
  return { at: here, product };
}

export function nadam({ beta1, beta2, epsilon }: Betas): Update {
  const momentum = momenta(beta1);
  return {
    slotNames: ["momentum", "velocity"],
    initial: [0, 0],
    constants: (iteration, rate) => {
      const [here, there] = [momentum.at(iteration), momentum.at(iteration + 1)];
      const product = momentum.product(iteration);
      const ofMomentum = (rate * there) / (1 - product * there);
      const ofGradient = (rate * (1 - here)) / (1 - product);
      return [ofMomentum, ofGradient, 1 / (1 - beta2 ** iteration), 1 - beta1, 1 - beta2, epsilon];
    },
    onHost({ next, weight, gradient, slots }, constants) {
      const [c0, c1, c2] = [at(constants, 0), at(constants, 1), at(constants, 2)];
      const [c3, c4, c5] = [at(constants, 3), at(constants, 4), at(constants, 5)];
      const [moment, velocity] = [slot(slots, 0), slot(slots, 1)];
      for (let i = 0; i < next.length; i++) {
        const g = gradient[i] as number;
        const m = (moment[i] as number) + (g - (moment[i] as number)) * c3;
        const v = (velocity[i] as number) + (g * g - (velocity[i] as number)) * c4;
        moment[i] = m;
        velocity[i] = v;
        next[i] = (weight[i] as number) - (m * c0 + g * c1) / (Math.sqrt(v * c2) + c5);
      }
    },
    shader:
      "s0 = s0 + (g - s0) * c3; s1 = s1 + (g * g - s1) * c4; w = w - (s0 * c0 + g * c1) / (sqrt(s1 * c2) + c5);",
  };
}

export function lion(beta1: number, beta2: number): Update {
  return {
    slotNames: ["momentum"],
    initial: [0],
    constants: (_, rate) => [rate, beta1, 1 - beta1, beta2, 1 - beta2],
    onHost({ next, weight, gradient, slots }, constants) {
      const [c0, c1, c2] = [at(constants, 0), at(constants, 1), at(constants, 2)];
      const [c3, c4, momentum] = [at(constants, 3), at(constants, 4), slot(slots, 0)];
      for (let i = 0; i < next.length; i++) {
        const [g, m] = [gradient[i] as number, momentum[i] as number];
        next[i] = (weight[i] as number) - Math.sign(m * c1 + g * c2) * c0;
        momentum[i] = m * c3 + g * c4;
      }
    },
    shader: "w = w - sign(s0 * c1 + g * c2) * c0; s0 = s0 * c3 + g * c4;",
  };
}
