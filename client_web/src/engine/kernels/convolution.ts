/**
 * WASM: the gradient of a 2-D convolution with respect to its filter, which TF.js lacks there.
 * Laid out as one product: patches^T [kh * kw * in, n * oh * ow] times dy [n * oh * ow, out].
 */

import type { backend_util, Tensor4D } from "@tensorflow/tfjs-core";
import { type Core, input, type WasmKernel } from "./registry";

type ConvInfo = backend_util.Conv2DInfo;

/** Fill `patches` (row = place in the filter and channel, column = place in the output). */
function layOut(x: Float32Array, patches: Float32Array, info: ConvInfo): void {
  const { batchSize, inHeight, inWidth, inChannels, outHeight, outWidth } = info;
  const { filterHeight, filterWidth, strideHeight, strideWidth, padInfo } = info;
  let at = 0;
  for (let kh = 0; kh < filterHeight; kh++) {
    for (let kw = 0; kw < filterWidth; kw++) {
      for (let channel = 0; channel < inChannels; channel++) {
        for (let n = 0; n < batchSize; n++) {
          for (let oh = 0; oh < outHeight; oh++) {
            const row = oh * strideHeight + kh - padInfo.top;
            if (row < 0 || row >= inHeight) {
              patches.fill(0, at, at + outWidth);
              at += outWidth;
              continue;
            }
            const start = (n * inHeight + row) * inWidth;
            for (let ow = 0; ow < outWidth; ow++) {
              const column = ow * strideWidth + kw - padInfo.left;
              const inside = column >= 0 && column < inWidth;
              patches[at++] = inside ? (x[(start + column) * inChannels + channel] ?? 0) : 0;
            }
          }
        }
      }
    }
  }
}

/** Compute d loss / d filter from the input and d loss / d output. */
export const convolutionFilterGradient = (tf: Core): WasmKernel => (call) => {
  const x = input(call, "x") as Tensor4D;
  const dy = input(call, "dy");
  const { strides, pad, dimRoundingMode, filterShape, dataFormat } = call.attrs;
  if (dataFormat !== "NHWC") throw new Error("only channels-last convolutions train on WASM");
  const info = tf.backend_util.computeConv2DInfo(
    x.shape,
    filterShape as [number, number, number, number],
    strides as [number, number] | number,
    1,
    pad as number,
    dimRoundingMode as "floor",
  );
  const places = info.batchSize * info.outHeight * info.outWidth;
  const taps = info.filterHeight * info.filterWidth * info.inChannels;
  const laidOut = call.backend.makeOutput([taps, places], "float32");
  // Views are taken after the allocation: WASM memory moves when it grows.
  const source = call.backend.typedArrayFromHeap(x) as Float32Array;
  layOut(source, call.backend.typedArrayFromHeap(laidOut) as Float32Array, info);
  return tf.tidy(() => {
    const patches = tf.engine().makeTensorFromTensorInfo(laidOut);
    const product = tf.matMul(patches, tf.reshape(dy, [places, info.outChannels]));
    return tf.reshape(product, info.filterShape);
  });
};
