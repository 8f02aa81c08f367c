/**
 * One optimizer's update of one weight, written twice: for memory that JavaScript reaches (CPU, WASM) and as
 * a body for shaders (WebGL, WebGPU); a test holds the two together. Slots carry Keras's names, so that a
 * checkpoint goes on anywhere.
 */

/** One weight in memory: `next` is written, `slots` are changed in place. */
export interface Pass {
  readonly next: Float32Array;
  readonly weight: Float32Array;
  readonly gradient: Float32Array;
  /** In the order of `slotNames`. */
  readonly slots: readonly Float32Array[];
}

export interface Update {
  readonly slotNames: readonly string[];
  /** What each slot holds before the first step. */
  readonly initial: readonly number[];
  /** Numbers of one step, the same for all weights. `iteration` counts this step as well, from 1. */
  readonly constants: (iteration: number, rate: number) => readonly number[];
  readonly onHost: (pass: Pass, constants: readonly number[]) => void;
  /** Assigns w and the slots s0, s1 from w, g, s0, s1 and the constants c0, c1, ...: GLSL and WGSL alike. */
  readonly shader: string;
}

/** A number of a step by position; a missing one would be a mistake of ours. */
export function at(values: readonly number[], index: number): number {
  const value = values[index];
  if (value === undefined) throw new Error(`constant ${index} of the optimizer is missing`);
  return value;
}

export function slot(slots: readonly Float32Array[], index: number): Float32Array {
  const values = slots[index];
  if (values === undefined) throw new Error(`optimizer slot ${index} is missing`);
  return values;
}
