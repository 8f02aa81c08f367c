/**
 * Resizing as two products: one matrix of weights for each axis, as JAX computes them. So every way to
 * interpolate has right gradients on every backend.
 */

import type { Tensor } from "@tensorflow/tfjs-core";
import type { Tf } from "./kit";

type Kernel = (distance: number) => number;

function lanczos(radius: number): Kernel {
  return (x) => {
    if (x > radius) return 0;
    if (x <= 1e-3) return 1;
    return (radius * Math.sin(Math.PI * x) * Math.sin((Math.PI * x) / radius)) / (Math.PI * x) ** 2;
  };
}

/** How much a place counts at a distance; "bicubic" is Keys's, with a = -0.5. */
const KERNELS: Readonly<Record<string, Kernel>> = {
  bilinear: (x) => Math.max(0, 1 - x),
  bicubic: (x) => {
    if (x >= 2) return 0;
    return x >= 1 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : (1.5 * x - 2.5) * x * x + 1;
  },
  lanczos3: lanczos(3),
  lanczos5: lanczos(5),
};

/** Give weights [to, from] in C order. */
export function resizeWeights(from: number, to: number, interpolation: string, antialias: boolean): Float32Array {
  const weights = new Float32Array(to * from);
  const scale = from / to;
  const kernel = KERNELS[interpolation];
  for (let row = 0; row < to; row++) {
    if (kernel === undefined) {
      if (interpolation !== "nearest") throw new Error(`no interpolation ${interpolation}`);
      weights[row * from + Math.min(from - 1, Math.floor((row + 0.5) * scale))] = 1;
      continue;
    }
    const width = antialias ? Math.max(scale, 1) : 1;
    const place = (row + 0.5) * scale - 0.5;
    if (place < -0.5 || place > from - 0.5) continue;
    const each = Array.from({ length: from }, (_, i) => kernel(Math.abs(place - i) / width));
    const total = each.reduce((sum, weight) => sum + weight, 0);
    if (Math.abs(total) <= 1000 * 1.1920929e-7) continue;
    each.forEach((weight, i) => (weights[row * from + i] = weight / total));
  }
  return weights;
}

export function makeResize(tf: Tf) {
  /** Resize [batch, height, width, channels] to other heights and widths. */
  return function resize(
    x: Tensor,
    [height, width]: readonly [number, number],
    interpolation: string,
    antialias = false,
  ): Tensor {
    const [batch = 1, rows = 1, columns = 1, channels = 1] = x.shape;
    const matrix = (to: number, from: number): Tensor =>
      tf.tensor(resizeWeights(from, to, interpolation, antialias), [to, from]);
    let out = x;
    if (height !== rows || interpolation !== "nearest") {
      // [1, to, from] times [batch, from, columns * channels]: the matrix is shared by the batch.
      const flat = tf.reshape(out, [batch, rows, columns * channels]);
      out = tf.matMul(tf.tile(tf.expandDims(matrix(height, rows), 0), [batch, 1, 1]), flat);
    }
    if (width !== columns || interpolation !== "nearest") {
      const flat = tf.reshape(out, [batch * height, columns, channels]);
      const side = tf.reshape(tf.transpose(flat, [0, 2, 1]), [-1, columns]);
      const wide = tf.matMul(side, matrix(width, columns), false, true);
      out = tf.transpose(tf.reshape(wide, [batch * height, channels, width]), [0, 2, 1]);
    }
    return tf.reshape(out, [batch, height, width, channels]);
  };
}

export type Resize = ReturnType<typeof makeResize>;
