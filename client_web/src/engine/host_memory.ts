/** Tensors' values where JavaScript reaches them without waiting: on the CPU and in WASM's memory. */

import { type DataType, engine, type TensorInfo, type TypedArray } from "@tensorflow/tfjs-core";

/** WASM's memory is reached by views; on the CPU a tensor's values are an array of JavaScript's. */
type HostBackend =
  | {
      readonly typedArrayFromHeap: (tensor: TensorInfo) => TypedArray;
      readonly makeOutput: (shape: readonly number[], dtype: DataType) => TensorInfo;
    }
  | {
      readonly readSync: (id: object) => TypedArray;
      readonly makeTensorInfo: (shape: readonly number[], dtype: DataType, values: TypedArray) => TensorInfo;
    };

export const HOST_BACKENDS: ReadonlySet<string> = new Set(["cpu", "wasm"]);

function backend(): HostBackend {
  return engine().backend as unknown as HostBackend;
}

/** See a tensor's values. Look again after an allocation: WASM's memory moves when it grows. */
export function valuesOf(tensor: TensorInfo): Float32Array | Int32Array {
  const host = backend();
  const seen = "typedArrayFromHeap" in host ? host.typedArrayFromHeap(tensor) : host.readSync(tensor.dataId);
  return seen as Float32Array | Int32Array;
}

/** Make a tensor of float32 of any values, without a detour through JavaScript's memory on WASM. */
export function emptyTensor(shape: readonly number[]): TensorInfo {
  const host = backend();
  if ("typedArrayFromHeap" in host) return host.makeOutput(shape, "float32");
  const size = shape.reduce((product, axis) => product * axis, 1);
  return host.makeTensorInfo(shape, "float32", new Float32Array(size));
}
