/** Every backend: the gradient of |x|. TF.js takes it to be -1 where x is 0; Keras, and everybody else, 0. */

import type { Tensor } from "@tensorflow/tfjs-core";
import type { Core } from "./registry";

/** Give |x| the sign of x as its gradient. */
export function mendAbsolute(tf: Core): void {
  tf.registerGradient({
    kernelName: "Abs",
    inputsToSave: ["x"],
    gradFunc: (dy, saved) => ({ x: () => tf.mul(dy as Tensor, tf.sign(saved[0] as Tensor)) }),
  });
}
