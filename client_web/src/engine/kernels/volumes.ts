/**
 * WASM: 3-D max pooling, its gradient, and the gradients of a 3-D convolution. TF.js looks for maxima from
 * the smallest positive float on; its convolution's gradients read the wrong places, the one by the filter
 * where there are strides.
 */

import type { backend_util, Tensor5D } from "@tensorflow/tfjs-core";
import { type Core, input, type KernelCall, type WasmKernel } from "./registry";

type VolumeInfo = backend_util.Conv3DInfo;
type Sizes = [number, number, number, number, number];

/** Visit every meeting of an output place, a place of the input and a tap, each counted without channels. */
function meet(info: VolumeInfo, visit: (output: number, place: number, tap: number) => void): void {
  const { batchSize, inDepth, inHeight, inWidth, outDepth, outHeight, outWidth, padInfo } = info;
  const along = (out: number, stride: number, before: number, taps: number, length: number): [number, number][][] =>
    Array.from({ length: out }, (_, i) =>
      Array.from({ length: taps }, (__, tap): [number, number] => [i * stride - before + tap, tap]).filter(
        ([at]) => at >= 0 && at < length,
      ),
    );
  const depths = along(outDepth, info.strideDepth, padInfo.front, info.filterDepth, inDepth);
  const rows = along(outHeight, info.strideHeight, padInfo.top, info.filterHeight, inHeight);
  const columns = along(outWidth, info.strideWidth, padInfo.left, info.filterWidth, inWidth);
  let output = 0;
  for (let n = 0; n < batchSize; n++) {
    for (const deep of depths) {
      for (const high of rows) {
        for (const wide of columns) {
          for (const [depth, kd] of deep) {
            for (const [row, kh] of high) {
              const start = ((n * inDepth + depth) * inHeight + row) * inWidth;
              const tap = (kd * info.filterHeight + kh) * info.filterWidth;
              for (const [column, kw] of wide) visit(output, start + column, tap + kw);
            }
          }
          output++;
        }
      }
    }
  }
}

function poolInfo(tf: Core, call: KernelCall, shape: Sizes): VolumeInfo {
  const { filterSize, strides, pad, dimRoundingMode } = call.attrs;
  return tf.backend_util.computePool3DInfo(
    shape,
    filterSize as [number, number, number],
    strides as [number, number, number],
    1,
    pad as number,
    dimRoundingMode as "floor",
  );
}

/** Compute 3-D max pooling. */
export const maxPool3d = (tf: Core): WasmKernel => (call) => {
  const x = input(call, "x") as Tensor5D;
  const info = poolInfo(tf, call, x.shape);
  const pooled = call.backend.makeOutput(info.outShape, "float32");
  const result = call.backend.typedArrayFromHeap(pooled) as Float32Array;
  const values = call.backend.typedArrayFromHeap(x) as Float32Array;
  const channels = info.outChannels;
  result.fill(Number.NEGATIVE_INFINITY);
  meet(info, (output, place) => {
    for (let c = 0; c < channels; c++) {
      const value = values[place * channels + c] ?? 0;
      if (value > (result[output * channels + c] ?? 0)) result[output * channels + c] = value;
    }
  });
  return pooled;
};

/** Compute d loss / d input of 3-D max pooling: each window's gradient goes to its first maximum. */
export const maxPool3dGradient = (tf: Core): WasmKernel => (call) => {
  const x = input(call, "input") as Tensor5D;
  const dy = input(call, "dy");
  const info = poolInfo(tf, call, x.shape);
  const dx = call.backend.makeOutput(x.shape, "float32");
  const result = call.backend.typedArrayFromHeap(dx) as Float32Array;
  const values = call.backend.typedArrayFromHeap(x) as Float32Array;
  const slopes = call.backend.typedArrayFromHeap(dy) as Float32Array;
  const channels = info.outChannels;
  const where = new Int32Array(dy.size).fill(-1);
  meet(info, (output, place) => {
    for (let c = 0; c < channels; c++) {
      const [to, from] = [output * channels + c, place * channels + c];
      const known = where[to] ?? -1;
      if (known < 0 || (values[from] ?? 0) > (values[known] ?? 0)) where[to] = from;
    }
  });
  result.fill(0);
  where.forEach((from, to) => {
    if (from >= 0) result[from] = (result[from] ?? 0) + (slopes[to] ?? 0);
  });
  return dx;
};

function convolutionInfo(tf: Core, call: KernelCall, inputShape: Sizes, filterShape: Sizes): VolumeInfo {
  const { strides, pad } = call.attrs;
  return tf.backend_util.computeConv3DInfo(
    inputShape,
    filterShape,
    strides as [number, number, number],
    1,
    pad as "same",
  );
}

/** Compute d loss / d input of a 3-D convolution: one product gives every tap's part, which are added up. */
export const convolution3dInputGradient = (tf: Core): WasmKernel => (call) => {
  const dy = input(call, "dy");
  const filter = input(call, "filter") as Tensor5D;
  const info = convolutionInfo(tf, call, call.attrs["inputShape"] as Sizes, filter.shape);
  const { inChannels: channels, outChannels } = info;
  const taps = filter.size / outChannels;
  const parts = tf.tidy(() =>
    tf.matMul(tf.reshape(dy, [-1, outChannels]), tf.reshape(filter, [taps, outChannels]), false, true),
  );
  const dx = call.backend.makeOutput(info.inShape, "float32");
  // Views are taken after the allocation: WASM memory moves when it grows.
  const result = call.backend.typedArrayFromHeap(dx) as Float32Array;
  const values = call.backend.typedArrayFromHeap(parts) as Float32Array;
  result.fill(0);
  meet(info, (output, place, tap) => {
    const [to, from] = [place * channels, output * taps + tap * channels];
    for (let c = 0; c < channels; c++) result[to + c] = (result[to + c] ?? 0) + (values[from + c] ?? 0);
  });
  parts.dispose();
  return dx;
};

/** Compute d loss / d filter of a 3-D convolution: the windows laid out, transposed, times d loss / d output. */
export const convolution3dFilterGradient = (tf: Core): WasmKernel => (call) => {
  const x = input(call, "x") as Tensor5D;
  const dy = input(call, "dy");
  const info = convolutionInfo(tf, call, x.shape, call.attrs["filterShape"] as Sizes);
  const { inChannels: channels, outChannels, filterShape } = info;
  const taps = info.filterDepth * info.filterHeight * info.filterWidth * channels;
  const places = dy.size / outChannels;
  const laidOut = call.backend.makeOutput([places, taps], "float32");
  const patches = call.backend.typedArrayFromHeap(laidOut) as Float32Array;
  const values = call.backend.typedArrayFromHeap(x) as Float32Array;
  patches.fill(0);
  meet(info, (output, place, tap) => {
    const [to, from] = [output * taps + tap * channels, place * channels];
    for (let c = 0; c < channels; c++) patches[to + c] = values[from + c] ?? 0;
  });
  return tf.tidy(() => {
    const rows = tf.engine().makeTensorFromTensorInfo(laidOut);
    return tf.reshape(tf.matMul(rows, tf.reshape(dy, [places, outChannels]), true, false), filterShape);
  });
};
