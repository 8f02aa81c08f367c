/**
 * Operations along one axis, each on a tensor reshaped to [before, axis, after]: three axes are what all
 * backends can cut, pad and join, and all of it has right gradients everywhere.
 */

import type { Tensor } from "@tensorflow/tfjs-core";
import type { Tf } from "./kit";

/** What of TF.js is needed: kernels have it too. */
type Parts = Pick<Tf, "concat" | "mul" | "ones" | "pad" | "reshape" | "slice">;

function product(sizes: readonly number[]): number {
  return sizes.reduce((all, size) => all * size, 1);
}

/** One axis of a window: how many taps, how far apart, and how far from window to window. */
export interface Window {
  readonly taps: number;
  readonly stride: number;
  readonly dilation: number;
}

/** How many windows fit into a length. */
export function windows(length: number, { taps, stride, dilation }: Window): number {
  return Math.floor((length - (taps - 1) * dilation - 1) / stride) + 1;
}

/** How much an axis is padded so that there are ceil(length / stride) windows: [before, after]. */
export function samePadding(length: number, { taps, stride, dilation }: Window): [number, number] {
  const reach = (Math.ceil(length / stride) - 1) * stride + (taps - 1) * dilation + 1;
  const total = Math.max(0, reach - length);
  return [Math.floor(total / 2), Math.ceil(total / 2)];
}

export function makeAxes(tf: Parts) {
  /** Apply `f` to [before, axis, after]; `f` may change the axis's length only. */
  function along(x: Tensor, axis: number, f: (flat: Tensor) => Tensor): Tensor {
    const before = x.shape.slice(0, axis);
    const after = x.shape.slice(axis + 1);
    const flat = tf.reshape(x, [product(before), x.shape[axis] ?? 1, product(after)]);
    const result = f(flat);
    return tf.reshape(result, [...before, result.shape[1] ?? 1, ...after]);
  }

  function cut(x: Tensor, axis: number, from: number, length: number): Tensor {
    if (from === 0 && length === x.shape[axis]) return x;
    return along(x, axis, (flat) => tf.slice(flat, [0, from, 0], [-1, length, -1]));
  }

  function pad(x: Tensor, axis: number, [before, after]: readonly [number, number], value = 0): Tensor {
    if (before === 0 && after === 0) return x;
    return along(x, axis, (flat) => tf.pad(flat, [[0, 0], [before, after], [0, 0]], value));
  }

  /** Put `gap - 1` zeros between the places of an axis, none behind the last. */
  function spread(x: Tensor, axis: number, gap: number): Tensor {
    const length = x.shape[axis] ?? 1;
    if (gap === 1) return x;
    const wide = along(x, axis, (flat) => {
      const [before = 1, , after = 1] = flat.shape;
      const places = tf.reshape(flat, [before * length, 1, after]);
      return tf.reshape(tf.pad(places, [[0, 0], [0, gap - 1], [0, 0]]), [before, length * gap, after]);
    });
    return cut(wide, axis, 0, (length - 1) * gap + 1);
  }

  /** Repeat each place of an axis. */
  function repeat(x: Tensor, axis: number, times: number): Tensor {
    if (times === 1) return x;
    return along(x, axis, (flat) => {
      const [before = 1, length = 1, after = 1] = flat.shape;
      const places = tf.reshape(flat, [before * length, 1, after]);
      return tf.reshape(tf.mul(places, tf.ones([1, times, 1])), [before, length * times, after]);
    });
  }

  /** Keep every `gap`-th place of an axis, from the first to the last: the first column of rows of that length. */
  function everyNth(x: Tensor, axis: number, gap: number): Tensor {
    if (gap === 1) return x;
    const count = ((x.shape[axis] ?? 1) - 1) / gap + 1;
    return along(x, axis, (flat) => {
      const [before = 1, , after = 1] = flat.shape;
      const whole = tf.pad(flat, [[0, 0], [0, gap - 1], [0, 0]]);
      const rows = tf.reshape(whole, [before * count, gap, after]);
      return tf.reshape(tf.slice(rows, [0, 0, 0], [-1, 1, -1]), [before, count, after]);
    });
  }

  /** Give each tap of the windows over an axis: `taps` tensors with as many places as windows. */
  function taps(x: Tensor, axis: number, window: Window): Tensor[] {
    const count = windows(x.shape[axis] ?? 0, window);
    const { stride, dilation } = window;
    return Array.from({ length: window.taps }, (_, tap) => {
      const from = tap * dilation;
      return everyNth(cut(x, axis, from, (count - 1) * stride + 1), axis, stride);
    });
  }

  /**
   * Lay out the windows over all axes between the first and the last: [batch, ...windows, taps * channels],
   * taps in C order.
   */
  function patches(x: Tensor, over: readonly Window[]): Tensor {
    return over.reduceRight<Tensor>((laid, window, index) => {
      if (window.taps === 1 && window.stride === 1) return laid;
      const columns = taps(laid, index + 1, window);
      return columns.length === 1 ? (columns[0] ?? laid) : joinLast(columns);
    }, x);
  }

  function joinLast(parts: readonly Tensor[]): Tensor {
    const shape = parts[0]?.shape ?? [];
    const places = product(shape.slice(0, -1));
    const joined = tf.concat(parts.map((part) => tf.reshape(part, [places, -1])), 1);
    return tf.reshape(joined, [...shape.slice(0, -1), -1]);
  }

  return { cut, pad, spread, everyNth, repeat, taps, patches };
}

export type Axes = ReturnType<typeof makeAxes>;
