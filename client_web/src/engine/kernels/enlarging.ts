/** CPU: gradients of resizing. TF.js mixes up images of a batch, and height with width. */

import type { DataId, DataType, Tensor4D, TensorInfo } from "@tensorflow/tfjs-core";
import { input, type Kernel } from "./registry";

export interface CpuBackend {
  readonly readSync: (dataId: DataId) => unknown;
  readonly makeTensorInfo: (shape: number[], dtype: DataType, values: Float32Array) => TensorInfo;
}

/** Say which place of `from` each place of `to` was taken from. */
function sources(from: number, to: number, corners: boolean, centers: boolean): number[] {
  const inner = corners && to > 1;
  const ratio = (inner ? from - 1 : from) / (inner ? to - 1 : to);
  return Array.from({ length: to }, (_, i) => {
    const place = ratio * (centers ? i + 0.5 : i);
    return Math.max(0, Math.min(from - 1, corners ? Math.round(place) : Math.floor(place)));
  });
}

/** Add each place's gradient to the place that it was taken from. */
export const nearestGradient: Kernel<CpuBackend> = ({ inputs, attrs, backend }) => {
  const call = { inputs, attrs, backend };
  const [images, dy] = [input(call, "images") as Tensor4D, input(call, "dy") as Tensor4D];
  const [batch, height, width, channels] = images.shape;
  const [, tall, wide] = dy.shape;
  const [corners, centers] = [attrs["alignCorners"] === true, attrs["halfPixelCenters"] === true];
  const rows = sources(height, tall, corners, centers);
  const columns = sources(width, wide, corners, centers);
  const slopes = backend.readSync(dy.dataId) as Float32Array;
  const found = new Float32Array(images.size);
  let at = 0;
  for (let n = 0; n < batch; n++) {
    for (const row of rows) {
      for (const column of columns) {
        const to = ((n * height + row) * width + column) * channels;
        for (let c = 0; c < channels; c++) found[to + c] = (found[to + c] ?? 0) + (slopes[at++] ?? 0);
      }
    }
  }
  return backend.makeTensorInfo(images.shape, "float32", found);
};

/** TF.js's values are right, but it calls the height width. */
export function uprightBilinearGradient(stock: Kernel<CpuBackend> | null): Kernel<CpuBackend> {
  if (stock === null) throw new Error("TF.js has no ResizeBilinearGrad on CPU");
  return (call) => ({ ...stock(call), shape: input(call, "images").shape });
}
