/** Put a kernel in the place of TF.js's own, or where TF.js has none. */

import type * as core from "@tensorflow/tfjs-core";
import type { GradConfig, KernelConfig, KernelFunc, NamedAttrMap, Tensor, TensorInfo } from "@tensorflow/tfjs-core";
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";

/** The TF.js whose kernels are mended: this engine's, or a page's own. */
export type Core = Pick<
  typeof core,
  | "backend_util"
  | "concat"
  | "engine"
  | "env"
  | "getGradient"
  | "getKernel"
  | "getKernelsForBackend"
  | "matMul"
  | "mul"
  | "neg"
  | "ones"
  | "pad"
  | "registerGradient"
  | "registerKernel"
  | "reshape"
  | "step"
  | "reverse"
  | "slice"
  | "sum"
  | "tensor"
  | "tidy"
  | "transpose"
  | "unregisterKernel"
  | "zeros"
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

export type Gradient = (dy: Tensor, saved: Tensor[], attrs: NamedAttrMap) => Record<string, () => Tensor>;

/**
 * Register `make(stock)` as a kernel's gradient, for all backends. Where TF.js has none, `saves` names the
 * inputs that it is handed.
 */
export function replaceGradient(
  tf: Core,
  kernelName: string,
  make: (stock: Gradient | null) => Gradient,
  saves: string[] = [],
): void {
  const stock = tf.getGradient(kernelName) as GradConfig | undefined;
  const gradFunc = make((stock?.gradFunc ?? null) as unknown as Gradient | null) as unknown as GradConfig["gradFunc"];
  tf.registerGradient({ inputsToSave: saves, ...stock, kernelName, gradFunc });
}

/** Give an entry of `saved`; TF.js hands over all that a gradient asked to save. */
export function kept(saved: readonly Tensor[], index: number): Tensor {
  const tensor = saved[index];
  if (tensor === undefined) throw new Error(`saved tensor ${index} is missing`);
  return tensor;
}
