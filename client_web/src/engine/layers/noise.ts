/** Numbers by chance that are a function of (seed, purpose, step): what was drawn can be drawn again. */

import { dropoutFactors, stream, threefryInto } from "../randomness";

/** Where training stands. A step is asked for once in each forward pass of a layer. */
export interface Clock {
  readonly seed: () => number;
  readonly step: (layer: string) => number;
}

/** Count every layer's forward passes, from a seed that differs from page to page. */
export function freeClock(): Clock {
  const seed = Math.floor(Math.random() * 2 ** 32);
  const passes = new Map<string, number>();
  const step = (layer: string): number => {
    const pass = passes.get(layer) ?? 0;
    passes.set(layer, pass + 1);
    return pass;
  };
  return { seed: () => seed, step };
}

function words(seed: number, purpose: string, step: number, size: number): Uint32Array {
  const found = new Uint32Array(size + (size % 2));
  const key = stream(purpose);
  for (let pair = 0; 2 * pair < size; pair++) threefryInto(found, 2 * pair, seed, key, step, pair);
  return found;
}

/** Draw from the normal distribution of mean 0 and deviation 1 (Box and Muller, a pair at a time). */
export function normals(seed: number, purpose: string, step: number, size: number): Float32Array {
  const drawn = words(seed, purpose, step, size);
  const found = new Float32Array(drawn.length);
  for (let i = 0; i < drawn.length; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(((drawn[i] ?? 0) + 1) / 2 ** 32));
    const angle = (2 * Math.PI * (drawn[i + 1] ?? 0)) / 2 ** 32;
    found[i] = radius * Math.cos(angle);
    found[i + 1] = radius * Math.sin(angle);
  }
  return found.subarray(0, size);
}

/** Draw evenly from `low` up to, not including, `high`. */
export function uniforms(
  seed: number,
  purpose: string,
  step: number,
  size: number,
  [low, high]: readonly [number, number],
): Float32Array {
  const drawn = words(seed, purpose, step, size).subarray(0, size);
  return Float32Array.from(drawn, (word) => low + ((high - low) * word) / 2 ** 32);
}

/** Give 0 for what is left out, else 1 / (1 - rate); `what` tells a layer's several masks apart. */
export function keptFactors(clock: Clock, layer: string, step: number, rate: number, size: number): Float32Array {
  return dropoutFactors(clock.seed(), layer, step, rate, size);
}
