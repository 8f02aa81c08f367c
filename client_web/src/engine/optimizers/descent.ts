/** Keras 3's SGD and RMSprop. Epsilon is where Keras has it: inside RMSprop's root. */

import { at, slot, type Update } from "./update";

export function sgd(): Update {
  return {
    slotNames: [],
    initial: [],
    constants: (_, rate) => [rate],
    onHost({ next, weight, gradient }, constants) {
      const c0 = at(constants, 0);
      for (let i = 0; i < next.length; i++) next[i] = (weight[i] as number) - (gradient[i] as number) * c0;
    },
    shader: "w = w - g * c0;",
  };
}

export function sgdWithMomentum(momentum: number, nesterov: boolean): Update {
  return {
    slotNames: ["momentum"],
    initial: [0],
    constants: (_, rate) => [rate, momentum],
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

export interface RmspropOptions {
  readonly rho: number;
  readonly momentum: number;
  readonly epsilon: number;
  readonly centered: boolean;
}

export function rmsprop({ rho, momentum, epsilon, centered }: RmspropOptions): Update {
  const moving = momentum !== 0;
  const slotNames = ["velocity", ...(moving ? ["momentum"] : []), ...(centered ? ["average_gradient"] : [])];
  const last = slotNames.length - 1;
  const centre = centered ? `s${last} = s${last} * c1 + g * (1.0 - c1);` : "";
  const below = centered ? `s0 - s${last} * s${last} + c3` : "s0 + c3";
  const move = `g * c0 / sqrt(${below})`;
  return {
    slotNames,
    initial: slotNames.map(() => 0),
    constants: (_, rate) => [rate, rho, momentum, epsilon],
    onHost({ next, weight, gradient, slots }, constants) {
      const [c0, c1, c2, c3] = [at(constants, 0), at(constants, 1), at(constants, 2), at(constants, 3)];
      const velocity = slot(slots, 0);
      const moved = moving ? slot(slots, 1) : null;
      const average = centered ? slot(slots, last) : null;
      for (let i = 0; i < next.length; i++) {
        const g = gradient[i] as number;
        const v = (velocity[i] as number) * c1 + g * g * (1 - c1);
        velocity[i] = v;
        let variance = v;
        if (average !== null) {
          const mean = (average[i] as number) * c1 + g * (1 - c1);
          average[i] = mean;
          variance -= mean * mean;
        }
        let step = (g * c0) / Math.sqrt(variance + c3);
        if (moved !== null) {
          step += (moved[i] as number) * c2;
          moved[i] = step;
        }
        next[i] = (weight[i] as number) - step;
      }
    },
    shader: `s0 = s0 * c1 + g * g * (1.0 - c1); ${centre} ${moving ? `s1 = s1 * c2 + ${move}; w = w - s1;` : `w = w - ${move};`}`,
  };
}
