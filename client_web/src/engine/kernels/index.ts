/** Mend a backend of TF.js 4.22 once it is loaded. What is wrong, and why, stands at each kernel. */

import { Cast, engine, getKernelsForBackend, mul, tidy } from "@tensorflow/tfjs-core";
import type { BrowserBackend } from "../messages";
import { convolutionFilterGradient } from "./convolution";
import { transposeThenMultiply } from "./matmul";
import { maxPoolGradient } from "./pooling";
import { input, type Kernel, replaceKernel, type WasmKernel } from "./registry";
import { unsortedSegmentSum } from "./segments";

const mended = new Set<BrowserBackend>();

/** WebGPU's cast to float32 only relabels, and a transpose afterwards copies the integers' bits. */
function castByMultiplying(stock: Kernel | null): Kernel {
  if (stock === null) throw new Error("TF.js has no Cast on WebGPU");
  return (call) => {
    const result = stock(call);
    const from = input(call, "x").dtype;
    if (result.dtype !== "float32" || from === "float32") return result;
    return tidy(() => mul(engine().makeTensorFromTensorInfo(result), 1));
  };
}

/** Replace a backend's missing and wrong kernels; does nothing the second time. */
export function mend(backend: BrowserBackend): void {
  if (mended.has(backend) || getKernelsForBackend(backend).length === 0) return;
  mended.add(backend);
  if (backend === "webgpu") replaceKernel(Cast, "webgpu", castByMultiplying);
  if (backend !== "wasm") return;
  const put = (name: string, kernel: WasmKernel): void => replaceKernel(name, "wasm", () => kernel);
  replaceKernel("BatchMatMul", "wasm", transposeThenMultiply);
  put("Conv2DBackpropFilter", convolutionFilterGradient);
  put("MaxPoolGrad", maxPoolGradient);
  put("UnsortedSegmentSum", unsortedSegmentSum);
}
