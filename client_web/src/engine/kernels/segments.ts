/** WASM: sums of rows by segment, which TF.js lacks there. The gradient of embedding and of gather. */

import { input, type WasmKernel } from "./registry";

/** Add up the rows of `x` that share a segment number; rows with a negative one are left out. */
export const unsortedSegmentSum: WasmKernel = (call) => {
  const x = input(call, "x");
  const segmentIds = input(call, "segmentIds");
  const count = call.attrs["numSegments"] as number;
  const rowShape = x.shape.slice(segmentIds.rank);
  const width = rowShape.reduce((product, size) => product * size, 1);
  const sums = call.backend.makeOutput([count, ...rowShape], "float32");
  const result = call.backend.typedArrayFromHeap(sums) as Float32Array;
  const values = call.backend.typedArrayFromHeap(x) as Float32Array;
  const segments = call.backend.typedArrayFromHeap(segmentIds) as Int32Array;
  result.fill(0);
  segments.forEach((segment, row) => {
    if (segment < 0) return;
    for (let i = 0; i < width; i++) {
      const at = segment * width + i;
      result[at] = (result[at] ?? 0) + (values[row * width + i] ?? 0);
    }
  });
  return sums;
};
