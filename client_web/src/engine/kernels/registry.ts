/** Put a kernel in the place of TF.js's own, or where TF.js has none. */

import {
  getKernel,
  type KernelFunc,
  type NamedAttrMap,
  registerKernel,
  type Tensor,
  type TensorInfo,
  unregisterKernel,
} from "@tensorflow/tfjs-core";
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";

export interface KernelCall<B = unknown> {
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly attrs: NamedAttrMap;
  readonly backend: B;
}

export type Kernel<B = unknown> = (call: KernelCall<B>) => TensorInfo;

export type WasmKernel = Kernel<Pick<BackendWasm, "makeOutput" | "typedArrayFromHeap">>;

/** Give a named input; ops always pass all of a kernel's inputs. */
export function input(call: KernelCall, name: string): Tensor {
  const tensor = call.inputs[name];
  if (tensor === undefined) throw new Error(`kernel input ${name} is missing`);
  return tensor;
}

/** Register `make(stock)` under a kernel's name; `stock` is what stood there, if anything. */
export function replaceKernel<B>(
  kernelName: string,
  backendName: string,
  make: (stock: Kernel<B> | null) => Kernel<B>,
): void {
  // TF.js has no kernels of these names for some backends, and warns of double registration.
  const stock = getKernel(kernelName, backendName) as { kernelFunc: KernelFunc } | undefined;
  if (stock !== undefined) unregisterKernel(kernelName, backendName);
  const stockKernel = (stock?.kernelFunc ?? null) as unknown as Kernel<B> | null;
  const kernelFunc = make(stockKernel) as unknown as KernelFunc;
  registerKernel({ kernelName, backendName, kernelFunc });
}
