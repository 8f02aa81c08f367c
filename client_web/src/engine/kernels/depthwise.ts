/** WASM: the gradients of a depthwise convolution, which TF.js lacks there. */

import type { backend_util, Tensor4D } from "@tensorflow/tfjs-core";
import { type Core, input, type KernelCall, type WasmKernel } from "./registry";

type ConvInfo = backend_util.Conv2DInfo;

type Visit = (at: { input: number; output: number; tap: number }) => void;

/**
 * Visit every meeting of an input place, an output place and a tap of one channel. Offsets are of the
 * channel's first element: outputs and taps have `multiplier` elements for each channel.
 */
function meet(info: ConvInfo, visit: Visit): void {
  const { batchSize, inHeight, inWidth, inChannels, outHeight, outWidth, outChannels } = info;
  const { filterHeight, filterWidth, strideHeight, strideWidth, padInfo } = info;
  const multiplier = outChannels / inChannels;
  for (let n = 0; n < batchSize; n++) {
    for (let oh = 0; oh < outHeight; oh++) {
      for (let kh = 0; kh < filterHeight; kh++) {
        const row = oh * strideHeight + kh - padInfo.top;
        if (row < 0 || row >= inHeight) continue;
        for (let ow = 0; ow < outWidth; ow++) {
          for (let kw = 0; kw < filterWidth; kw++) {
            const column = ow * strideWidth + kw - padInfo.left;
            if (column < 0 || column >= inWidth) continue;
            const from = ((n * inHeight + row) * inWidth + column) * inChannels;
            const to = ((n * outHeight + oh) * outWidth + ow) * outChannels;
            const tap = (kh * filterWidth + kw) * outChannels;
            for (let c = 0; c < inChannels; c++) {
              visit({ input: from + c, output: to + c * multiplier, tap: tap + c * multiplier });
            }
          }
        }
      }
    }
  }
}

type Sizes = [number, number, number, number];

function infoOf(tf: Core, call: KernelCall, inputShape: Sizes, filterShape: Sizes): ConvInfo {
  const { strides, pad, dimRoundingMode } = call.attrs;
  return tf.backend_util.computeConv2DInfo(
    inputShape,
    filterShape,
    strides as [number, number] | number,
    1,
    pad as number,
    dimRoundingMode as "floor",
    true,
  );
}

/** Compute d loss / d filter from the input and d loss / d output. */
export const depthwiseFilterGradient = (tf: Core): WasmKernel => (call) => {
  const x = input(call, "x") as Tensor4D;
  const dy = input(call, "dy");
  const info = infoOf(tf, call, x.shape, call.attrs["filterShape"] as Sizes);
  const multiplier = info.outChannels / info.inChannels;
  const gradient = call.backend.makeOutput(info.filterShape, "float32");
  // Views are taken after the allocation: WASM memory moves when it grows.
  const result = call.backend.typedArrayFromHeap(gradient) as Float32Array;
  const values = call.backend.typedArrayFromHeap(x) as Float32Array;
  const slopes = call.backend.typedArrayFromHeap(dy) as Float32Array;
  result.fill(0);
  meet(info, ({ input: from, output, tap }) => {
    const value = values[from] ?? 0;
    for (let m = 0; m < multiplier; m++) {
      result[tap + m] = (result[tap + m] ?? 0) + value * (slopes[output + m] ?? 0);
    }
  });
  return gradient;
};

/** Compute d loss / d input from the filter and d loss / d output. */
export const depthwiseInputGradient = (tf: Core): WasmKernel => (call) => {
  const dy = input(call, "dy");
  const filter = input(call, "filter") as Tensor4D;
  const info = infoOf(tf, call, call.attrs["inputShape"] as Sizes, filter.shape);
  const multiplier = info.outChannels / info.inChannels;
  const gradient = call.backend.makeOutput(info.inShape, "float32");
  const result = call.backend.typedArrayFromHeap(gradient) as Float32Array;
  const taps = call.backend.typedArrayFromHeap(filter) as Float32Array;
  const slopes = call.backend.typedArrayFromHeap(dy) as Float32Array;
  result.fill(0);
  meet(info, ({ input: to, output, tap }) => {
    let sum = 0;
    for (let m = 0; m < multiplier; m++) sum += (taps[tap + m] ?? 0) * (slopes[output + m] ?? 0);
    result[to] = (result[to] ?? 0) + sum;
  });
  return gradient;
};
