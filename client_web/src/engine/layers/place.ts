/** Where this engine's training stands: what a layer draws is a function of (seed, layer, step). */

import type { Clock } from "./noise";

/** Set before each step: TF.js hands its layers nothing but tensors. */
export const place = { seed: 0, step: 0 };

export const trainingClock: Clock = { seed: () => place.seed, step: () => place.step };
