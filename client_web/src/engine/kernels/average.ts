/**
 * Every backend: the gradient of average pooling where windows reach beyond the input. Forward, TF.js divides
 * by the places inside; backward it divides by the whole window.
 */

import type { backend_util, Tensor } from "@tensorflow/tfjs-core";
import { type Core, type Gradient, kept, replaceGradient } from "./registry";

interface Axis {
  readonly length: number;
  readonly before: number;
  readonly taps: number;
  readonly stride: number;
  readonly out: number;
}

type Attributes = [filter: [number, number, number], strides: [number, number, number], pad: "same"];

function axesOf(tf: Core, x: Tensor, attrs: Readonly<Record<string, unknown>>): Axis[] {
  const shape = x.shape as [number, number, number, number, number];
  const [filter, strides, pad] = [attrs["filterSize"], attrs["strides"], attrs["pad"]] as Attributes;
  const rounding = attrs["dimRoundingMode"] as "floor" | undefined;
  if (x.rank === 5) {
    const info: backend_util.Conv3DInfo = tf.backend_util.computePool3DInfo(shape, filter, strides, 1, pad, rounding);
    const { padInfo } = info;
    return [
      { length: info.inDepth, before: padInfo.front, taps: info.filterDepth, stride: info.strideDepth, out: info.outDepth },
      { length: info.inHeight, before: padInfo.top, taps: info.filterHeight, stride: info.strideHeight, out: info.outHeight },
      { length: info.inWidth, before: padInfo.left, taps: info.filterWidth, stride: info.strideWidth, out: info.outWidth },
    ];
  }
  const [flat, steps] = [filter, strides] as unknown as [[number, number], [number, number]];
  const four = shape as unknown as [number, number, number, number];
  const info = tf.backend_util.computePool2DInfo(four, flat, steps, 1, pad, rounding);
  const { padInfo } = info;
  return [
    { length: info.inHeight, before: padInfo.top, taps: info.filterHeight, stride: info.strideHeight, out: info.outHeight },
    { length: info.inWidth, before: padInfo.left, taps: info.filterWidth, stride: info.strideWidth, out: info.outWidth },
  ];
}

/** Give for each window along an axis how much larger it is than what of it lies inside. */
function excess({ length, before, taps, stride, out }: Axis): number[] {
  return Array.from({ length: out }, (_, i) => {
    const from = i * stride - before;
    return taps / (Math.min(length, from + taps) - Math.max(0, from));
  });
}

function dividingByInside(tf: Core, stock: Gradient | null): Gradient {
  if (stock === null) throw new Error("TF.js has no gradient of average pooling");
  return (dy, saved, attrs) => {
    const along = axesOf(tf, kept(saved, 0), attrs).map(excess);
    if (along.every((factors) => factors.every((factor) => factor === 1))) return stock(dy, saved, attrs);
    const places = along.reduce((all, factors) => all.flatMap((one) => factors.map((factor) => one * factor)), [1]);
    // In three axes: WebGPU stretches over five wrongly.
    const larger = (): Tensor => {
      const flat = tf.reshape(dy, [-1, places.length, dy.shape[dy.rank - 1] ?? 1]);
      return tf.reshape(tf.mul(flat, tf.tensor(places, [1, places.length, 1])), dy.shape);
    };
    return stock(tf.tidy(larger), saved, attrs);
  };
}

/** Divide gradients of average pooling as its values are divided. */
export function mendAverages(tf: Core): void {
  for (const name of ["AvgPool", "AvgPool3D"]) replaceGradient(tf, name, (stock) => dividingByInside(tf, stock));
}
