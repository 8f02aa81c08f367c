/** Every backend: the gradient of a transposed 3-D convolution, which TF.js lacks. */

import type { NamedAttrMap, Tensor } from "@tensorflow/tfjs-core";
import { type Core, kept, replaceGradient } from "./registry";

/** Let transposed 3-D convolutions be trained: what they turn around is a 3-D convolution. */
export function mendTransposed(tf: Core): void {
  const run = (kernel: string, inputs: Record<string, Tensor>, attrs: NamedAttrMap): Tensor =>
    tf.engine().runKernel(kernel, inputs, attrs);
  replaceGradient(
    tf,
    "Conv3DBackpropInputV2",
    () => (ddx, saved, { strides, pad }) => {
      const [dy, filter] = [kept(saved, 0), kept(saved, 1)];
      const attrs = { strides, pad, dataFormat: "NDHWC", dilations: [1, 1, 1] } as unknown as NamedAttrMap;
      return {
        dy: () => run("Conv3D", { x: ddx, filter }, attrs),
        filter: () => run("Conv3DBackpropFilterV2", { x: ddx, dy }, { ...attrs, filterShape: filter.shape }),
      };
    },
    ["dy", "filter"],
  );
}
