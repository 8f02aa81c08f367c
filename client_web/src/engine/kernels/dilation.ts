/**
 * Every backend: gradients of dilated convolutions, which TF.js refuses to compute. A dilated convolution is
 * a plain one whose filter has zeros between its taps; of that filter's gradient, the taps are kept.
 */

import type { NamedAttrMap, Tensor } from "@tensorflow/tfjs-core";
import { makeAxes } from "../layers/axes";
import { type Core, type Gradient, kept, replaceGradient } from "./registry";

interface Names {
  readonly input: string;
  readonly filter: string;
  /** How the input's shape is called. */
  readonly shape: string;
}

const CONVOLUTIONS: Readonly<Record<string, Names>> = {
  Conv2D: { input: "Conv2DBackpropInput", filter: "Conv2DBackpropFilter", shape: "inputShape" },
  Conv3D: { input: "Conv3DBackpropInputV2", filter: "Conv3DBackpropFilterV2", shape: "inputShape" },
  DepthwiseConv2dNative: {
    input: "DepthwiseConv2dNativeBackpropInput",
    filter: "DepthwiseConv2dNativeBackpropFilter",
    shape: "inputShape",
  },
};

function byWideFilter(tf: Core, names: Names, stock: Gradient | null): Gradient {
  if (stock === null) throw new Error("TF.js has no gradient of a convolution");
  const axes = makeAxes(tf);
  const run = (kernel: string, inputs: Record<string, Tensor>, attrs: object): Tensor =>
    tf.engine().runKernel(kernel, inputs, attrs as NamedAttrMap);
  return (dy, saved, attrs) => {
    const [x, filter] = [kept(saved, 0), kept(saved, 1)];
    const given = attrs["dilations"] as number | readonly number[] | null | undefined;
    const rates = x.shape.slice(1, -1).map((_, i) => (typeof given === "number" ? given : (given?.[i] ?? 1)));
    if (rates.every((rate) => rate === 1)) return stock(dy, saved, attrs);
    const plain = { ...attrs, dilations: rates.map(() => 1), dataFormat: "NHWC" };
    const wide = (): Tensor => rates.reduce((all, rate, axis) => axes.spread(all, axis, rate), filter);
    return {
      x: () => run(names.input, { dy, filter: wide() }, { ...plain, [names.shape]: x.shape }),
      filter: () => {
        const filterShape = filter.shape.map((size, axis) => (size - 1) * (rates[axis] ?? 1) + 1);
        const gradient = run(names.filter, { x, dy }, { ...plain, filterShape });
        return rates.reduce((all, rate, axis) => axes.everyNth(all, axis, rate), gradient);
      },
    };
  };
}

/** Let dilated convolutions be trained. */
export function mendDilation(tf: Core): void {
  for (const [name, names] of Object.entries(CONVOLUTIONS)) {
    replaceGradient(tf, name, (stock) => byWideFilter(tf, names, stock));
  }
}
