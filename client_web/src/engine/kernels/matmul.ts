/**
 * WASM: products with a transposed operand. TF.js multiplies those in a plain loop and leaves the fast
 * library to untransposed ones, so transposing first is several times faster. Gradients of dense
 * layers are such products.
 */

import type { Tensor } from "@tensorflow/tfjs-core";
import { type Core, input, type Kernel, type WasmKernel } from "./registry";

function swapLastTwo(tf: Core, tensor: Tensor): Tensor {
  const axes = tensor.shape.map((_, i) => i);
  return tf.transpose(tensor, [...axes.slice(0, -2), axes.length - 1, axes.length - 2]);
}

/** Multiply by `stock` after transposing what is to be transposed. */
export function transposeThenMultiply(tf: Core, stock: WasmKernel | Kernel<never> | null): WasmKernel {
  if (stock === null) throw new Error("TF.js has no BatchMatMul on WASM");
  const multiply = stock as WasmKernel;
  return (call) => {
    const { transposeA, transposeB } = call.attrs;
    if (transposeA !== true && transposeB !== true) return multiply(call);
    const a = transposeA === true ? swapLastTwo(tf, input(call, "a")) : input(call, "a");
    const b = transposeB === true ? swapLastTwo(tf, input(call, "b")) : input(call, "b");
    const attrs = { transposeA: false, transposeB: false };
    const product = multiply({ inputs: { a, b }, attrs, backend: call.backend });
    if (transposeA === true) a.dispose();
    if (transposeB === true) b.dispose();
    return product;
  };
}
