/** Every backend: gradients of extremes of stretched inputs, and of comparisons, which have none in TF.js. */

import type { Tensor } from "@tensorflow/tfjs-core";
import { type Core, type Gradient, kept, replaceGradient } from "./registry";

/** Of one argument, of two. What is true or false does not change a little. */
const UNMOVED: readonly [names: readonly string[], saves: string[]][] = [
  [["Any", "All", "LogicalNot"], ["x"]],
  [["Equal", "NotEqual", "Greater", "Less", "LessEqual", "LogicalAnd", "LogicalOr"], ["a", "b"]],
];

function unmoved(tf: Core, saves: readonly string[]): Gradient {
  return (_, saved) =>
    Object.fromEntries(saves.map((name, i) => [name, () => tf.zeros(kept(saved, i).shape)]));
}

/** Add up what an input's one place got where it was stretched. */
function shrunk(tf: Core, gradient: Tensor, shape: number[]): Tensor {
  const axes = tf.backend_util.getReductionAxes(shape, gradient.shape);
  return tf.reshape(axes.length > 0 ? tf.sum(gradient, axes) : gradient, shape);
}

function shrinking(tf: Core, stock: Gradient | null): Gradient {
  if (stock === null) throw new Error("TF.js has no gradient of an extreme");
  return (dy, saved, attrs) => {
    const found = stock(dy, saved, attrs);
    return Object.fromEntries(
      ["a", "b"].map((name, i) => [
        name,
        () => shrunk(tf, (found[name] as () => Tensor)(), kept(saved, i).shape),
      ]),
    );
  };
}

/** Let extremes be stretched, and comparisons be passed. */
export function mendElementwise(tf: Core): void {
  for (const name of ["Maximum", "Minimum"]) replaceGradient(tf, name, (stock) => shrinking(tf, stock));
  for (const [names, saves] of UNMOVED) {
    for (const name of names) replaceGradient(tf, name, () => unmoved(tf, saves), saves);
  }
}
