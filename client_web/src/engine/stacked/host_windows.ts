/** A stack's convolutions (as patches and products) and pools on CPU and WASM. */

import { addRows, copies, type HostLayer, type Stack, startOf, turn, type Value, type Weight } from "./host_layers";
import type { Window } from "./plan";

/** Lay the patches of one unit's rows out: [rows * places, height * width * channels]. */
function layOut(floats: Float32Array, from: number, to: number, rows: number, window: Window): void {
  const { inHeight, inWidth, channels, outHeight, outWidth, height, width } = window;
  const run = width * channels;
  let at = to;
  for (let n = 0; n < rows; n++) {
    for (let oh = 0; oh < outHeight; oh++) {
      for (let ow = 0; ow < outWidth; ow++) {
        const column = ow * window.columnStride - window.left;
        const whole = column >= 0 && column + width <= inWidth;
        for (let kh = 0; kh < height; kh++) {
          const row = oh * window.rowStride + kh - window.top;
          if (row < 0 || row >= inHeight) {
            for (let i = 0; i < run; i++) floats[at + i] = 0;
          } else if (whole) {
            const start = from + ((n * inHeight + row) * inWidth + column) * channels;
            for (let i = 0; i < run; i++) floats[at + i] = floats[start + i] as number;
          } else {
            const start = from + ((n * inHeight + row) * inWidth + column) * channels;
            const [first, last] = [Math.max(0, -column) * channels, Math.min(width, inWidth - column) * channels];
            for (let i = 0; i < run; i++) floats[at + i] = i >= first && i < last ? (floats[start + i] as number) : 0;
          }
          at += run;
        }
      }
    }
  }
}

/** Add patches' gradients to where they were taken from. */
function putBack(floats: Float32Array, from: number, to: number, rows: number, window: Window): void {
  const { inHeight, inWidth, channels, outHeight, outWidth, height, width } = window;
  const run = width * channels;
  floats.fill(0, to, to + rows * inHeight * inWidth * channels);
  let at = from;
  for (let n = 0; n < rows; n++) {
    for (let oh = 0; oh < outHeight; oh++) {
      for (let ow = 0; ow < outWidth; ow++) {
        const column = ow * window.columnStride - window.left;
        const [first, last] = [Math.max(0, -column) * channels, Math.min(width, inWidth - column) * channels];
        for (let kh = 0; kh < height; kh++) {
          const row = oh * window.rowStride + kh - window.top;
          if (row >= 0 && row < inHeight) {
            const start = to + ((n * inHeight + row) * inWidth + column) * channels;
            for (let i = first; i < last; i++) floats[start + i] = (floats[start + i] as number) + (floats[at + i] as number);
          }
          at += run;
        }
      }
    }
  }
}

export interface ConvolutionParts {
  readonly stack: Stack;
  readonly input: Value;
  readonly output: Value;
  readonly kernel: Weight;
  readonly bias: Weight | null;
  readonly window: Window;
  readonly outputs: number;
  /** Room for a batch's patches of one unit. */
  readonly patches: number;
  /** Room for one unit's kernel. */
  readonly scratch: number;
}

export function convolutionLayer(parts: ConvolutionParts): HostLayer {
  const { stack, input, output, kernel, bias, window, outputs, patches, scratch } = parts;
  const { memory, units, each, eachGradient } = stack;
  const { floats } = memory;
  const taps = window.height * window.width * window.channels;
  const places = window.outHeight * window.outWidth;
  /** A shared input's patches are the same for all units. */
  const patchesOf = (unit: number, rows: number): void => {
    if (unit === 0 || !input.shared) layOut(floats, startOf(input, unit, rows), patches, rows, window);
  };
  return {
    forward({ rows }) {
      for (let unit = 0; unit < units; unit++) {
        patchesOf(unit, rows);
        memory.multiply({
          a: patches, aRow: taps, aColumn: 1,
          b: kernel.at + unit * each, bRow: outputs,
          c: startOf(output, unit, rows),
          rows: rows * places, columns: outputs, inner: taps,
          bias: bias === null ? 0 : bias.at + unit * each,
        });
      }
    },
    backward({ rows }) {
      const all = rows * places;
      if (kernel.gradient !== 0) {
        for (let unit = 0; unit < units; unit++) {
          patchesOf(unit, rows);
          memory.multiply({
            a: patches, aRow: 1, aColumn: taps,
            b: output.gradient + unit * rows * output.size, bRow: outputs,
            c: kernel.gradient + unit * eachGradient,
            rows: taps, columns: outputs, inner: all, bias: 0,
          });
        }
      }
      for (let unit = 0; unit < units; unit++) {
        const dy = output.gradient + unit * rows * output.size;
        if (bias !== null && bias.gradient !== 0) addRows(floats, dy, bias.gradient + unit * eachGradient, all, outputs);
        if (input.gradient === 0) continue;
        turn(floats, kernel.at + unit * each, scratch, taps, outputs);
        memory.multiply({
          a: dy, aRow: outputs, aColumn: 1,
          b: scratch, bRow: taps,
          c: patches,
          rows: all, columns: taps, inner: outputs, bias: 0,
        });
        putBack(floats, patches, input.gradient + unit * rows * input.size, rows, window);
      }
    },
  };
}

/** The part of a window that lies inside of the input, for one place of the output. */
function inside(window: Window, oh: number, ow: number): readonly [top: number, bottom: number, left: number, right: number] {
  const row = oh * window.rowStride - window.top;
  const column = ow * window.columnStride - window.left;
  return [Math.max(0, row), Math.min(window.inHeight, row + window.height), Math.max(0, column), Math.min(window.inWidth, column + window.width)];
}

/** The largest of each window, and its gradient to the first place where it stands. */
export function mostLayer(stack: Stack, window: Window, input: Value, output: Value, batch: number): HostLayer {
  const { floats } = stack.memory;
  const { inHeight, inWidth, channels, outHeight, outWidth } = window;
  const places = new Int32Array(copies(output, stack.units) * batch * output.size);
  return {
    forward({ rows }) {
      let out = 0;
      for (let n = 0; n < copies(output, stack.units) * rows; n++) {
        const picture = input.at + n * input.size;
        for (let oh = 0; oh < outHeight; oh++) {
          for (let ow = 0; ow < outWidth; ow++) {
            const [top, bottom, left, right] = inside(window, oh, ow);
            for (let channel = 0; channel < channels; channel++) {
              let where = (top * inWidth + left) * channels + channel;
              let largest = floats[picture + where] as number;
              for (let row = top; row < bottom; row++) {
                for (let column = left; column < right; column++) {
                  const at = (row * inWidth + column) * channels + channel;
                  const value = floats[picture + at] as number;
                  // NaN is larger than all: it must not be lost.
                  if (value > largest || value !== value) {
                    largest = value;
                    where = at;
                  }
                }
              }
              floats[output.at + out] = largest;
              places[out++] = n * input.size + where;
            }
          }
        }
      }
    },
    backward({ rows }) {
      if (input.gradient === 0) return;
      const all = copies(output, stack.units) * rows;
      floats.fill(0, input.gradient, input.gradient + all * inHeight * inWidth * channels);
      for (let i = 0; i < all * output.size; i++) {
        const to = input.gradient + (places[i] as number);
        floats[to] = (floats[to] as number) + (floats[output.gradient + i] as number);
      }
    },
  };
}

/** The mean of each window's inside. */
export function meanLayer(stack: Stack, window: Window, input: Value, output: Value): HostLayer {
  const { floats } = stack.memory;
  const { inWidth, channels, outHeight, outWidth } = window;
  /** Call for every pair of a number and the window's mean that it is part of. */
  const visit = (rows: number, pair: (from: number, to: number, share: number) => void): void => {
    for (let n = 0; n < copies(output, stack.units) * rows; n++) {
      for (let oh = 0; oh < outHeight; oh++) {
        for (let ow = 0; ow < outWidth; ow++) {
          const [top, bottom, left, right] = inside(window, oh, ow);
          const share = 1 / ((bottom - top) * (right - left));
          const to = n * output.size + (oh * outWidth + ow) * channels;
          for (let row = top; row < bottom; row++) {
            for (let column = left; column < right; column++) {
              const from = n * input.size + (row * inWidth + column) * channels;
              for (let channel = 0; channel < channels; channel++) pair(from + channel, to + channel, share);
            }
          }
        }
      }
    }
  };
  const clear = (at: number, value: Value, rows: number): void => {
    floats.fill(0, at, at + copies(output, stack.units) * rows * value.size);
  };
  return {
    forward({ rows }) {
      clear(output.at, output, rows);
      visit(rows, (from, to, share) => {
        floats[output.at + to] = (floats[output.at + to] as number) + share * (floats[input.at + from] as number);
      });
    },
    backward({ rows }) {
      if (input.gradient === 0) return;
      clear(input.gradient, input, rows);
      visit(rows, (from, to, share) => {
        const at = input.gradient + from;
        floats[at] = (floats[at] as number) + share * (floats[output.gradient + to] as number);
      });
    },
  };
}
