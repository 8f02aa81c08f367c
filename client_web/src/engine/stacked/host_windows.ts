/** A stack's convolutions (as patches and products) and pools on CPU and WASM. */

import { addRows, copies, type HostLayer, type Stack, startOf, turn, type Value, type Weight } from "./host_layers";
import type { Nest } from "./nests";
import type { Window } from "./plan";

/** One place in a window: the outputs for which it lies inside of the input, and where it does. */
interface Tap {
  readonly rows: readonly [first: number, count: number];
  readonly columns: readonly [first: number, count: number];
  /** Places of the input before the first output's. */
  readonly from: number;
}

function range(offset: number, stride: number, inside: number, outputs: number): [number, number] {
  const first = Math.max(0, Math.ceil(-offset / stride));
  const last = Math.min(outputs - 1, Math.floor((inside - 1 - offset) / stride));
  return [first, Math.max(0, last - first + 1)];
}

function taps(window: Window): Tap[] {
  const { height, width, top, left, inHeight, inWidth, outHeight, outWidth, rowStride, columnStride } = window;
  return Array.from({ length: height * width }, (_, index) => {
    const [down, across] = [Math.floor(index / width) - top, (index % width) - left];
    const rows = range(down, rowStride, inHeight, outHeight);
    const columns = range(across, columnStride, inWidth, outWidth);
    return { rows, columns, from: (rows[0] * rowStride + down) * inWidth + columns[0] * columnStride + across };
  });
}

/** The nests, one a tap, between a window's input and its output; `wide` numbers lie at each output. */
function nests(window: Window, wide: number, step: number): ((input: number, output: number, pictures: number) => Nest)[] {
  const { inHeight, inWidth, outHeight, outWidth, channels, rowStride, columnStride } = window;
  return taps(window).map(({ rows, columns, from }, index) => {
    const first = (rows[0] * outWidth + columns[0]) * wide + index * step;
    return (input, output, pictures) => ({
      to: output + first,
      from: input + from * channels,
      toStrides: [outHeight * outWidth * wide, outWidth * wide, wide],
      fromStrides: [inHeight * inWidth * channels, rowStride * inWidth * channels, columnStride * channels],
      counts: [pictures, rows[1], columns[1]],
      channels,
    });
  });
}

function turnedRound(nest: Nest): Nest {
  return { ...nest, to: nest.from, from: nest.to, toStrides: nest.fromStrides, fromStrides: nest.toStrides };
}

export interface ConvolutionParts {
  readonly stack: Stack;
  readonly input: Value;
  readonly output: Value;
  readonly kernel: Weight;
  readonly bias: Weight | null;
  readonly window: Window;
  readonly outputs: number;
  readonly rectified: boolean;
  /** Room for a batch's patches of one unit. */
  readonly patches: number;
  /** Room for one unit's kernel. */
  readonly scratch: number;
}

export function convolutionLayer(parts: ConvolutionParts): HostLayer {
  const { stack, input, output, kernel, bias, window, outputs, rectified, patches, scratch } = parts;
  const { memory, units, each, eachGradient } = stack;
  const { floats } = memory;
  const places = window.outHeight * window.outWidth;
  const inner = window.height * window.width * window.channels;
  const each1 = nests(window, inner, window.channels);
  const padded = taps(window).some(({ rows, columns }) => rows[1] < window.outHeight || columns[1] < window.outWidth);
  /** A shared input's patches are the same for all units. */
  const layOut = (unit: number, rows: number): void => {
    if (unit > 0 && input.shared) return;
    if (padded) floats.fill(0, patches, patches + rows * places * inner);
    for (const nest of each1) memory.copy(nest(startOf(input, unit, rows), patches, rows));
  };
  return {
    forward({ rows }) {
      for (let unit = 0; unit < units; unit++) {
        layOut(unit, rows);
        memory.multiply({
          a: patches, aRow: inner, aColumn: 1,
          b: kernel.at + unit * each, bRow: outputs,
          c: startOf(output, unit, rows),
          rows: rows * places, columns: outputs, inner,
          bias: bias === null ? 0 : bias.at + unit * each, rectified,
        });
      }
    },
    backward({ rows }) {
      const all = rows * places;
      if (kernel.gradient !== 0) {
        for (let unit = 0; unit < units; unit++) {
          layOut(unit, rows);
          memory.multiply({
            a: patches, aRow: 1, aColumn: inner,
            b: output.gradient + unit * rows * output.size, bRow: outputs,
            c: kernel.gradient + unit * eachGradient,
            rows: inner, columns: outputs, inner: all, bias: 0, rectified: false,
          });
        }
      }
      for (let unit = 0; unit < units; unit++) {
        const dy = output.gradient + unit * rows * output.size;
        if (bias !== null && bias.gradient !== 0) addRows(memory, dy, bias.gradient + unit * eachGradient, all, outputs);
        if (input.gradient === 0) continue;
        turn(floats, kernel.at + unit * each, scratch, inner, outputs);
        memory.multiply({
          a: dy, aRow: outputs, aColumn: 1,
          b: scratch, bRow: inner,
          c: patches,
          rows: all, columns: inner, inner: outputs, bias: 0, rectified: false,
        });
        const dx = input.gradient + unit * rows * input.size;
        floats.fill(0, dx, dx + rows * input.size);
        for (const nest of each1) memory.add(turnedRound(nest(dx, patches, rows)));
      }
    },
  };
}

/** The largest of each window, and its gradient to the first place where it stands. */
export function mostLayer(stack: Stack, window: Window, input: Value, output: Value): HostLayer {
  const { memory, units } = stack;
  const { floats } = memory;
  const each = nests(window, window.channels, 0);
  return {
    forward({ rows }) {
      const pictures = copies(output, units) * rows;
      floats.fill(Number.NEGATIVE_INFINITY, output.at, output.at + pictures * output.size);
      for (const nest of each) memory.most(nest(input.at, output.at, pictures));
    },
    backward({ rows }) {
      if (input.gradient === 0) return;
      const pictures = copies(output, units) * rows;
      floats.fill(0, input.gradient, input.gradient + pictures * input.size);
      const gradients = { toGradient: output.gradient - output.at, fromGradient: input.gradient - input.at };
      for (const nest of each) memory.unpool({ ...nest(input.at, output.at, pictures), ...gradients });
    },
  };
}

/** The mean of each window's inside. */
export function meanLayer(stack: Stack, window: Window, input: Value, output: Value): HostLayer {
  const { memory, units } = stack;
  const { floats } = memory;
  const { outHeight, outWidth, channels } = window;
  const each = nests(window, channels, 0);
  const counts = new Float64Array(outHeight * outWidth);
  for (const { rows, columns } of taps(window)) {
    for (let row = rows[0]; row < rows[0] + rows[1]; row++) {
      for (let column = columns[0]; column < columns[0] + columns[1]; column++) {
        counts[row * outWidth + column] = (counts[row * outWidth + column] as number) + 1;
      }
    }
  }
  const divide = (at: number, pictures: number): void => {
    for (let place = 0, i = at; place < pictures * counts.length; place++) {
      const count = counts[place % counts.length] as number;
      for (let channel = 0; channel < channels; channel++, i++) floats[i] = (floats[i] as number) / count;
    }
  };
  return {
    forward({ rows }) {
      const pictures = copies(output, units) * rows;
      floats.fill(0, output.at, output.at + pictures * output.size);
      for (const nest of each) memory.add(nest(input.at, output.at, pictures));
      divide(output.at, pictures);
    },
    backward({ rows }) {
      if (input.gradient === 0) return;
      const pictures = copies(output, units) * rows;
      floats.fill(0, input.gradient, input.gradient + pictures * input.size);
      divide(output.gradient, pictures);
      for (const nest of each) memory.add(turnedRound(nest(input.gradient, output.gradient, pictures)));
    },
  };
}
