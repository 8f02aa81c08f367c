/** WebGL and WebGPU: turning around tensors of five axes and more, as images in time are. TF.js stops at four. */

import { type Core, input, type Kernel } from "./registry";

const MOST_AXES = 4;

/** Turn by `stock`, one axis after another where there are too many. */
export function reverseOneByOne(tf: Core, stock: Kernel | null): Kernel {
  if (stock === null) throw new Error("TF.js has no Reverse on this backend");
  return (call) => {
    const x = input(call, "x");
    if (x.rank <= MOST_AXES) return stock(call);
    const size = (sides: readonly number[]): number => sides.reduce((all, side) => all * side, 1);
    const dims = call.attrs["dims"] as number | number[];
    const axes = (Array.isArray(dims) ? dims : [dims]).map((axis) => (axis < 0 ? axis + x.rank : axis));
    return tf.tidy(() => {
      const turned = axes.reduce((now, axis) => {
        const before = size(x.shape.slice(0, axis));
        return tf.reverse(tf.reshape(now, [before, x.shape[axis] ?? 1, size(x.shape.slice(axis + 1))]), 1);
      }, tf.reshape(x, [-1]));
      return tf.reshape(turned, x.shape);
    });
  };
}
