/** What is wrong in layers of TF.js's own, rather than in kernels that they use. */

import type { Tensor, Tensor4D } from "@tensorflow/tfjs-core";
import type { layers, LayerVariable } from "@tensorflow/tfjs-layers";
import { logSoftmax } from "./activations";
import { type Activation, list, only, type Tf } from "./kit";

interface Convolution {
  call(inputs: Tensor | Tensor[], kwargs: Record<string, unknown>): Tensor | Tensor[];
  dilationRate: number[];
  strides: [number, number];
  padding: "same" | "valid";
  dataFormat: string;
  kernel: LayerVariable;
  bias: LayerVariable | null;
  activation: Activation | null;
}

const [TO_LAST, TO_FIRST] = [[0, 2, 3, 1], [0, 3, 1, 2]];

/**
 * Conv2D multiplies, adds and activates in one step, whose gradient refuses dilation, and no kernel can be
 * registered for it. Dilated ones go step by step.
 */
function mendDilatedLayer(tf: Tf): void {
  const layer: layers.Layer = tf.layers.conv2d({ filters: 1, kernelSize: 1, name: "unused" });
  const conv = Object.getPrototypeOf(layer) as Convolution;
  const stock = conv.call;
  conv.call = function (this: Convolution, inputs, kwargs) {
    if (this.dilationRate.every((rate) => rate === 1)) return stock.call(this, inputs, kwargs);
    return tf.tidy(() => {
      const first = this.dataFormat === "channelsFirst";
      const x = only(list(inputs));
      const x4 = (first ? tf.transpose(x, TO_LAST) : x) as Tensor4D;
      const rates = this.dilationRate as [number, number];
      let y: Tensor = tf.conv2d(x4, this.kernel.read() as Tensor4D, this.strides, this.padding, "NHWC", rates);
      if (this.bias) y = tf.add(y, this.bias.read());
      if (first) y = tf.transpose(y, TO_FIRST);
      return this.activation === null ? y : this.activation.apply(y);
    });
  };
}

/** On WebGL the activation leaves infinities in the padding of its output, which products read. */
function mendLogSoftmax(tf: Tf): void {
  const layer = tf.layers.activation({ activation: "logSoftmax" as never, name: "unused" });
  const { activation } = layer as unknown as { activation: Activation };
  (Object.getPrototypeOf(activation) as Activation).apply = (x) => logSoftmax(tf, x);
}

const mended = new WeakSet<object>();

/** Mend layers of TF.js's own; does nothing the second time. */
export function mendStockLayers(tf: Tf): void {
  if (mended.has(tf.engine())) return;
  mended.add(tf.engine());
  mendDilatedLayer(tf);
  mendLogSoftmax(tf);
}
