/** Dropout of a stack's units: the same words for units of one seed, each with its own rate. */

import { dropoutWords, factorsOf } from "../randomness";
import { copies, type HostLayer, type Stack, startOf, type Value } from "./host_layers";

/** Give every unit's factors [units, size] for a step, or null where none is dropped by any. */
export class Factors {
  private readonly layer: string;
  private readonly rates: readonly number[];
  private readonly seeds: readonly number[];
  private readonly factors: Float32Array;

  constructor(layer: string, rates: readonly number[], seeds: readonly number[], most: number) {
    this.layer = layer;
    this.rates = rates;
    this.seeds = seeds;
    this.factors = new Float32Array(rates.length * most);
  }

  at(step: number, size: number): Float32Array {
    const drawn = new Map<number, Uint32Array>();
    this.rates.forEach((rate, unit) => {
      const own = this.factors.subarray(unit * size, (unit + 1) * size);
      if (rate <= 0) {
        own.fill(1);
        return;
      }
      const seed = this.seeds[unit] ?? 0;
      const words = drawn.get(seed) ?? dropoutWords(seed, this.layer, step, size);
      drawn.set(seed, words);
      factorsOf(words, rate, own);
    });
    return this.factors.subarray(0, this.rates.length * size);
  }
}

export interface DropoutParts {
  readonly stack: Stack;
  readonly input: Value;
  readonly output: Value;
  readonly layer: string;
  readonly rates: readonly number[];
  readonly seeds: readonly number[];
  /** Rows at most. */
  readonly batch: number;
}

export function dropoutLayer({ stack, input, output, layer, rates, seeds, batch }: DropoutParts): HostLayer {
  const { floats } = stack.memory;
  const source = new Factors(layer, rates, seeds, batch * output.size);
  let factors = new Float32Array(0);
  return {
    forward({ rows, step }) {
      const size = rows * output.size;
      factors = source.at(step, size) as Float32Array<ArrayBuffer>;
      for (let unit = 0; unit < stack.units; unit++) {
        const [from, to, own] = [startOf(input, unit, rows), output.at + unit * size, unit * size];
        for (let i = 0; i < size; i++) floats[to + i] = (floats[from + i] as number) * (factors[own + i] as number);
      }
    },
    backward({ rows }) {
      if (input.gradient === 0) return;
      const size = copies(output, stack.units) * rows * output.size;
      for (let i = 0; i < size; i++) {
        floats[input.gradient + i] = (floats[output.gradient + i] as number) * (factors[i] as number);
      }
    },
  };
}
