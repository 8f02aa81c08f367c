/**
 * WASM: convolutions padded "same" whose kernel is narrower than its strides along an axis. The library below
 * TF.js refuses some of those, TF.js does not notice, and the output stays zero. Padded beforehand, they are
 * like any other.
 */

import type { Tensor4D } from "@tensorflow/tfjs-core";
import { type Core, input, type Kernel, type KernelCall, type WasmKernel } from "./registry";

type Sizes = [number, number];

/** Give what to put around height and width, or null where the stock kernel manages. */
function margins(tf: Core, call: KernelCall, depthwise: boolean): [Sizes, Sizes] | null {
  const { strides, pad, dilations, dimRoundingMode } = call.attrs;
  const info = tf.backend_util.computeConv2DInfo(
    (input(call, "x") as Tensor4D).shape,
    (input(call, "filter") as Tensor4D).shape,
    strides as Sizes | number,
    (dilations ?? 1) as Sizes | number,
    pad as "same",
    dimRoundingMode as "floor",
    depthwise,
  );
  if (info.padInfo.type !== "SAME") return null;
  const { top, bottom, left, right } = info.padInfo;
  const narrow =
    info.effectiveFilterHeight < info.strideHeight || info.effectiveFilterWidth < info.strideWidth;
  return narrow ? [[top, bottom], [left, right]] : null;
}

/** Convolve by `stock`, padding beforehand where it would leave zeros. */
export function padThenConvolve(tf: Core, stock: WasmKernel | Kernel<never> | null, depthwise: boolean): WasmKernel {
  if (stock === null) throw new Error("TF.js has no such convolution on WASM");
  const convolve = stock as WasmKernel;
  return (call) => {
    const around = margins(tf, call, depthwise);
    if (around === null) return convolve(call);
    const { inputs, backend } = call;
    const attrs = { ...call.attrs, pad: "valid" };
    if (!around.flat().some((size) => size > 0)) return convolve({ inputs, attrs, backend });
    const x = tf.pad(input(call, "x"), [[0, 0], ...around, [0, 0]]);
    const out = convolve({ inputs: { ...inputs, x }, attrs, backend });
    x.dispose();
    return out;
  };
}
