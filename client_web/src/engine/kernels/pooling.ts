/**
 * WASM: the gradient of 2-D max pooling. TF.js's own looks for the maximum from the smallest positive
 * float on, and so loses every window whose maximum is not positive.
 */

import type { backend_util, Tensor4D } from "@tensorflow/tfjs-core";
import { type Core, input, type WasmKernel } from "./registry";

type PoolInfo = backend_util.Conv2DInfo;

/** Add each window's gradient to its first maximum, as Keras on JAX and TF.js on CPU do. */
function scatter(x: Float32Array, dy: Float32Array, dx: Float32Array, info: PoolInfo): void {
  const { batchSize, inHeight, inWidth, outHeight, outWidth, outChannels: channels } = info;
  const { filterHeight, filterWidth, strideHeight, strideWidth, padInfo } = info;
  for (let n = 0; n < batchSize; n++) {
    for (let oh = 0; oh < outHeight; oh++) {
      const top = Math.max(0, oh * strideHeight - padInfo.top);
      const bottom = Math.min(inHeight, oh * strideHeight - padInfo.top + filterHeight);
      for (let ow = 0; ow < outWidth; ow++) {
        const left = Math.max(0, ow * strideWidth - padInfo.left);
        const right = Math.min(inWidth, ow * strideWidth - padInfo.left + filterWidth);
        const from = ((n * outHeight + oh) * outWidth + ow) * channels;
        for (let channel = 0; channel < channels; channel++) {
          let largest = Number.NEGATIVE_INFINITY;
          let where = -1;
          for (let row = top; row < bottom; row++) {
            for (let column = left; column < right; column++) {
              const index = ((n * inHeight + row) * inWidth + column) * channels + channel;
              const value = x[index] ?? 0;
              if (where < 0 || value > largest) {
                largest = value;
                where = index;
              }
            }
          }
          dx[where] = (dx[where] ?? 0) + (dy[from + channel] ?? 0);
        }
      }
    }
  }
}

/** Compute d loss / d input of max pooling. */
export const maxPoolGradient = (tf: Core): WasmKernel => (call) => {
  const x = input(call, "input") as Tensor4D;
  const dy = input(call, "dy");
  const { filterSize, strides, pad, dimRoundingMode } = call.attrs;
  const info = tf.backend_util.computePool2DInfo(
    x.shape,
    filterSize as [number, number],
    strides as [number, number],
    1,
    pad as number,
    dimRoundingMode as "floor",
  );
  const dx = call.backend.makeOutput(x.shape, "float32");
  const result = call.backend.typedArrayFromHeap(dx) as Float32Array;
  result.fill(0);
  const source = call.backend.typedArrayFromHeap(x) as Float32Array;
  scatter(source, call.backend.typedArrayFromHeap(dy) as Float32Array, result, info);
  return dx;
};
