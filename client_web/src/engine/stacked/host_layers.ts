/** A stack's layers on CPU and WASM: loops over one memory, each unit's numbers after the other's. */

import { type Activation, RELU } from "./activations";
import type { Normalization } from "./plan";
import type { Memory } from "./memory";

/** What flows between two layers: [units, rows, size] at `at`, its gradient at `gradient` (0: not wanted). */
export interface Value {
  readonly at: number;
  readonly gradient: number;
  readonly size: number;
  /** One and the same for all units. */
  readonly shared: boolean;
}

/** One batch. */
export interface Pass {
  readonly rows: number;
  /** Steps finished before, counted over the trial. */
  readonly step: number;
}

export interface HostLayer {
  forward(pass: Pass): void;
  backward(pass: Pass): void;
}

/** A weight of all units: unit u's lies at `at + u * each`, its gradient at `gradient + u * eachGradient`. */
export interface Weight {
  readonly at: number;
  readonly gradient: number;
}

export interface Stack {
  readonly memory: Memory;
  readonly units: number;
  /** Numbers from one unit's weights to the next one's, and from one's gradients to the next one's. */
  readonly each: number;
  readonly eachGradient: number;
}

export function copies(value: Value, units: number): number {
  return value.shared ? 1 : units;
}

/** Where unit u's rows of a value begin. */
export function startOf(value: Value, unit: number, rows: number): number {
  return value.at + (value.shared ? 0 : unit * rows * value.size);
}

/** Turn [rows, columns] at `from` into [columns, rows] at `to`. */
export function turn(floats: Float32Array, from: number, to: number, rows: number, columns: number): void {
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) floats[to + j * rows + i] = floats[from + i * columns + j] as number;
  }
}

/** Add rows [count, columns] up to `to`. */
export function addRows(memory: Memory, from: number, to: number, count: number, columns: number): void {
  memory.floats.fill(0, to, to + columns);
  memory.add({ to, from, toStrides: [0, 0, 0], fromStrides: [0, 0, columns], counts: [1, 1, count], channels: columns });
}

export interface DenseParts {
  readonly stack: Stack;
  readonly input: Value;
  readonly output: Value;
  readonly kernel: Weight;
  readonly bias: Weight | null;
  readonly places: number;
  readonly inputs: number;
  readonly outputs: number;
  readonly rectified: boolean;
  /** Room for one unit's kernel. */
  readonly scratch: number;
}

export function denseLayer(parts: DenseParts): HostLayer {
  const { stack, input, output, kernel, bias, places, inputs, outputs, rectified, scratch } = parts;
  const { memory, units, each, eachGradient } = stack;
  const { floats } = memory;
  return {
    forward({ rows }) {
      for (let unit = 0; unit < units; unit++) {
        memory.multiply({
          a: startOf(input, unit, rows), aRow: inputs, aColumn: 1,
          b: kernel.at + unit * each, bRow: outputs,
          c: startOf(output, unit, rows),
          rows: rows * places, columns: outputs, inner: inputs,
          bias: bias === null ? 0 : bias.at + unit * each, rectified,
        });
      }
    },
    backward({ rows }) {
      for (let unit = 0; unit < units; unit++) {
        const dy = output.gradient + unit * rows * output.size;
        if (kernel.gradient !== 0) {
          memory.multiply({
            a: startOf(input, unit, rows), aRow: 1, aColumn: inputs,
            b: dy, bRow: outputs,
            c: kernel.gradient + unit * eachGradient,
            rows: inputs, columns: outputs, inner: rows * places, bias: 0, rectified: false,
          });
        }
        if (bias !== null && bias.gradient !== 0) {
          addRows(memory, dy, bias.gradient + unit * eachGradient, rows * places, outputs);
        }
        if (input.gradient === 0) continue;
        turn(floats, kernel.at + unit * each, scratch, inputs, outputs);
        memory.multiply({
          a: dy, aRow: outputs, aColumn: 1,
          b: scratch, bRow: inputs,
          c: input.gradient + unit * rows * input.size,
          rows: rows * places, columns: inputs, inner: outputs, bias: 0, rectified: false,
        });
      }
    },
  };
}

/** `done`: the layer before it has put 0 in the place of what is below, as ReLU does. */
export function activationLayer(stack: Stack, activation: Activation, input: Value, output: Value, done: boolean): HostLayer {
  const { memory, units } = stack;
  const { floats } = memory;
  const count = (rows: number): number => copies(output, units) * rows * output.size;
  return {
    forward({ rows }) {
      if (!done) activation.forward(floats, input.at, output.at, count(rows));
    },
    backward({ rows }) {
      if (input.gradient === 0) return;
      if (input.gradient !== output.gradient) {
        floats.copyWithin(input.gradient, output.gradient, output.gradient + count(rows));
      }
      if (activation !== RELU) return activation.backward(floats, output.at, input.gradient, count(rows));
      const whole = { toStrides: [0, 0, 0], fromStrides: [0, 0, 0], counts: [1, 1, 1] } as const;
      memory.rectify({ ...whole, to: output.at, from: input.gradient, channels: count(rows) });
    },
  };
}

export function softmaxLayer(stack: Stack, classes: number, input: Value, output: Value): HostLayer {
  const { floats } = stack.memory;
  const count = (rows: number): number => (copies(output, stack.units) * rows * output.size) / classes;
  return {
    forward({ rows }) {
      for (let row = 0; row < count(rows); row++) {
        const [from, to] = [input.at + row * classes, output.at + row * classes];
        let top = Number.NEGATIVE_INFINITY;
        for (let j = 0; j < classes; j++) top = Math.max(top, floats[from + j] as number);
        let total = 0;
        for (let j = 0; j < classes; j++) {
          const part = Math.exp((floats[from + j] as number) - top);
          total += part;
          floats[to + j] = part;
        }
        for (let j = 0; j < classes; j++) floats[to + j] = (floats[to + j] as number) / total;
      }
    },
    backward({ rows }) {
      if (input.gradient === 0) return;
      for (let row = 0; row < count(rows); row++) {
        const [y, dy, dx] = [output.at, output.gradient, input.gradient].map((start) => start + row * classes) as [number, number, number];
        let sum = 0;
        for (let j = 0; j < classes; j++) sum += (floats[dy + j] as number) * (floats[y + j] as number);
        for (let j = 0; j < classes; j++) floats[dx + j] = (floats[y + j] as number) * ((floats[dy + j] as number) - sum);
      }
    },
  };
}

/** Multiply by a number and add one. */
export function affineLayer(stack: Stack, scale: number, offset: number, input: Value, output: Value): HostLayer {
  const { floats } = stack.memory;
  const count = (rows: number): number => copies(output, stack.units) * rows * output.size;
  return {
    forward({ rows }) {
      for (let i = 0; i < count(rows); i++) floats[output.at + i] = (floats[input.at + i] as number) * scale + offset;
    },
    backward({ rows }) {
      if (input.gradient === 0) return;
      for (let i = 0; i < count(rows); i++) floats[input.gradient + i] = (floats[output.gradient + i] as number) * scale;
    },
  };
}

export interface NormalizationParts {
  readonly stack: Stack;
  readonly step: Normalization;
  readonly input: Value;
  readonly output: Value;
  readonly gamma: Weight | null;
  readonly beta: Weight | null;
  readonly mean: Weight;
  readonly variance: Weight;
}

/** Keras's batch normalisation of the last axis; statistics in double precision. */
export function normalizationLayer({ stack, step, input, output, ...weights }: NormalizationParts): HostLayer {
  const { floats } = stack.memory;
  const { channels, momentum, epsilon, fixed } = step;
  const { gamma, beta } = weights;
  const of = (weight: Weight | null, unit: number, channel: number, missing: number): number =>
    weight === null ? missing : (floats[weight.at + unit * stack.each + channel] as number);
  /** Of each unit and channel: mean, and 1 / deviation, of this batch. */
  const means = new Float64Array(stack.units * channels);
  const inverses = new Float64Array(stack.units * channels);

  function statistics(unit: number, from: number, places: number, channel: number): void {
    const at = unit * channels + channel;
    let [mean, variance] = [of(weights.mean, unit, channel, 0), of(weights.variance, unit, channel, 1)];
    if (!fixed) {
      let sum = 0;
      for (let i = 0; i < places; i++) sum += floats[from + i * channels + channel] as number;
      mean = sum / places;
      let squares = 0;
      for (let i = 0; i < places; i++) squares += ((floats[from + i * channels + channel] as number) - mean) ** 2;
      variance = squares / places;
      for (const [weight, now] of [[weights.mean, mean], [weights.variance, variance]] as const) {
        const place = weight.at + unit * stack.each + channel;
        floats[place] = (floats[place] as number) * momentum + now * (1 - momentum);
      }
    }
    means[at] = mean;
    inverses[at] = 1 / Math.sqrt(variance + epsilon);
  }

  return {
    forward({ rows }) {
      const places = (rows * input.size) / channels;
      for (let unit = 0; unit < stack.units; unit++) {
        const [from, to] = [startOf(input, unit, rows), startOf(output, unit, rows)];
        for (let channel = 0; channel < channels; channel++) {
          statistics(unit, from, places, channel);
          const scale = (inverses[unit * channels + channel] as number) * of(gamma, unit, channel, 1);
          const offset = of(beta, unit, channel, 0) - (means[unit * channels + channel] as number) * scale;
          for (let i = channel; i < places * channels; i += channels) {
            floats[to + i] = (floats[from + i] as number) * scale + offset;
          }
        }
      }
    },
    backward({ rows }) {
      const places = (rows * input.size) / channels;
      for (let unit = 0; unit < stack.units; unit++) {
        const from = startOf(input, unit, rows);
        const dy = output.gradient + unit * rows * output.size;
        for (let channel = 0; channel < channels; channel++) {
          const mean = means[unit * channels + channel] as number;
          const inverse = inverses[unit * channels + channel] as number;
          let [sum, product] = [0, 0];
          for (let i = channel; i < places * channels; i += channels) {
            const d = floats[dy + i] as number;
            sum += d;
            product += d * ((floats[from + i] as number) - mean) * inverse;
          }
          if (gamma !== null && gamma.gradient !== 0) floats[gamma.gradient + unit * stack.eachGradient + channel] = product;
          if (beta !== null && beta.gradient !== 0) floats[beta.gradient + unit * stack.eachGradient + channel] = sum;
          if (input.gradient === 0) continue;
          const dx = input.gradient + unit * rows * input.size;
          const scale = inverse * of(gamma, unit, channel, 1);
          const [a, b] = fixed ? [0, 0] : [sum / places, product / places];
          for (let i = channel; i < places * channels; i += channels) {
            const normal = ((floats[from + i] as number) - mean) * inverse;
            floats[dx + i] = scale * ((floats[dy + i] as number) - a - normal * b);
          }
        }
      }
    },
  };
}
