/** Put a kernel in the place of TF.js's own, or where TF.js has none. */

import type * as core from "@tensorflow/tfjs-core";
import type { KernelConfig, KernelFunc, NamedAttrMap, Tensor, TensorInfo } from "@tensorflow/tfjs-core";
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";

/** The TF.js whose kernels are mended: this engine's, or a page's own. */
export type Core = Pick<
  typeof core,
  | "backend_util"
  | "engine"
  | "getKernel"
  | "getKernelsForBackend"
  | "matMul"
  | "mul"
  | "neg"
  | "pad"
  | "registerGradient"
  | "registerKernel"
  | "reshape"
  | "step"
  | "reverse"
  | "tidy"
  | "transpose"
  | "unregisterKernel"
>;

export interface KernelCall<B = unknown> {
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly attrs: NamedAttrMap;
  readonly backend: B;
}

export type Kernel<B = unknown> = (call: KernelCall<B>) => TensorInfo;

export type WasmBackend = Pick<BackendWasm, "makeOutput" | "typedArrayFromHeap">;

export type WasmKernel = Kernel<WasmBackend>;

/** Give a named input; ops always pass all of a kernel's inputs. */
export function input(call: KernelCall, name: string): Tensor {
  const tensor = call.inputs[name];
  if (tensor === undefined) throw new Error(`kernel input ${name} is missing`);
  return tensor;
}

/** Register `make(stock)` under a kernel's name; `stock` is what stood there, if anything. */
export function replaceKernel<B>(
  tf: Core,
  kernelName: string,
  backendName: string,
  make: (stock: Kernel<B> | null) => Kernel<B>,
): void {
  // TF.js has no kernels of these names for some backends, and warns of double registration.
  const stock = tf.getKernel(kernelName, backendName) as KernelConfig | undefined;
  if (stock !== undefined) tf.unregisterKernel(kernelName, backendName);
  const stockKernel = (stock?.kernelFunc ?? null) as unknown as Kernel<B> | null;
  const kernelFunc = make(stockKernel) as unknown as KernelFunc;
  // What the stock kernel does when its backend starts, it still has to do.
  tf.registerKernel({ ...stock, kernelName, backendName, kernelFunc });
}
