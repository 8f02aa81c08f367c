/**
 * Every backend: the gradient of |x| where x is 0. TF.js takes -1, Keras on JAX 1 (any number between is as
 * right); biases start there, and an L1 penalty moved them the other way.
 */

import type { Tensor } from "@tensorflow/tfjs-core";
import type { Core } from "./registry";

/** Give |x| the gradient 1 from 0 upwards, else -1. */
export function mendAbsolute(tf: Core): void {
  tf.registerGradient({
    kernelName: "Abs",
    inputsToSave: ["x"],
    gradFunc: (dy, saved) => ({
      x: () => tf.mul(dy as Tensor, tf.neg(tf.step(tf.neg(saved[0] as Tensor), -1))),
    }),
  });
}
