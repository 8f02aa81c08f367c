/** Mend a backend of TF.js 4.22 once it is loaded. What is wrong, and why, stands at each kernel. */

import { mendAbsolute } from "./absolute";
import { mendAverages } from "./average";
import { convolutionFilterGradient } from "./convolution";
import { depthwiseFilterGradient, depthwiseInputGradient } from "./depthwise";
import { mendDilation } from "./dilation";
import { mendElementwise } from "./elementwise";
import { type CpuBackend, nearestGradient, uprightBilinearGradient } from "./enlarging";
import { mendEpsilon } from "./epsilon";
import { transposeThenMultiply } from "./matmul";
import { padThenConvolve } from "./narrow";
import { maxPoolGradient } from "./pooling";
import { type Core, input, type Kernel, replaceKernel, type WasmBackend, type WasmKernel } from "./registry";
import { reverseOneByOne } from "./reverse";
import { unsortedSegmentSum } from "./segments";
import { mendTransposed } from "./transposed";
import { convolution3dFilterGradient, convolution3dInputGradient, maxPool3d, maxPool3dGradient } from "./volumes";

const BACKENDS = ["cpu", "wasm", "webgl", "webgpu"];

/** By TF.js: a page may have several. */
const mended = new WeakMap<object, Set<string>>();

/** WebGPU's cast to float32 only relabels, and a transpose afterwards copies the integers' bits. */
function castByMultiplying(tf: Core, stock: Kernel | null): Kernel {
  if (stock === null) throw new Error("TF.js has no Cast on WebGPU");
  return (call) => {
    const result = stock(call);
    const from = input(call, "x").dtype;
    if (result.dtype !== "float32" || from === "float32") return result;
    return tf.tidy(() => tf.mul(tf.engine().makeTensorFromTensorInfo(result), 1));
  };
}

/** Gradients that are put together of kernels, the same for every backend. */
function mendGradients(tf: Core): void {
  mendAbsolute(tf);
  mendAverages(tf);
  mendDilation(tf);
  mendElementwise(tf);
  mendTransposed(tf);
}

function mendCpu(tf: Core): void {
  replaceKernel<CpuBackend>(tf, "ResizeNearestNeighborGrad", "cpu", () => nearestGradient);
  replaceKernel<CpuBackend>(tf, "ResizeBilinearGrad", "cpu", uprightBilinearGradient);
}

/** Replace a backend's missing and wrong kernels; does nothing the second time. */
export function mend(tf: Core, backend: string): void {
  const done = mended.get(tf.engine()) ?? new Set();
  if (!mended.has(tf.engine())) mendGradients(tf);
  mended.set(tf.engine(), done);
  if (done.has(backend) || tf.getKernelsForBackend(backend).length === 0) return;
  done.add(backend);
  if (backend.startsWith("webg")) replaceKernel<unknown>(tf, "Reverse", backend, (stock) => reverseOneByOne(tf, stock));
  if (backend === "cpu") mendCpu(tf);
  if (backend === "webgl") mendEpsilon(tf);
  if (backend === "webgpu") replaceKernel<unknown>(tf, "Cast", "webgpu", (stock) => castByMultiplying(tf, stock));
  if (backend !== "wasm") return;
  const put = (name: string, kernel: WasmKernel): void => replaceKernel<WasmBackend>(tf, name, "wasm", () => kernel);
  replaceKernel<WasmBackend>(tf, "BatchMatMul", "wasm", (stock) => transposeThenMultiply(tf, stock));
  for (const name of ["Conv2D", "FusedConv2D"]) {
    replaceKernel<WasmBackend>(tf, name, "wasm", (stock) => padThenConvolve(tf, stock, false));
  }
  for (const name of ["DepthwiseConv2dNative", "FusedDepthwiseConv2D"]) {
    replaceKernel<WasmBackend>(tf, name, "wasm", (stock) => padThenConvolve(tf, stock, true));
  }
  put("Conv2DBackpropFilter", convolutionFilterGradient(tf));
  put("DepthwiseConv2dNativeBackpropFilter", depthwiseFilterGradient(tf));
  put("DepthwiseConv2dNativeBackpropInput", depthwiseInputGradient(tf));
  put("MaxPoolGrad", maxPoolGradient(tf));
  put("UnsortedSegmentSum", unsortedSegmentSum);
  put("MaxPool3D", maxPool3d(tf));
  put("MaxPool3DGrad", maxPool3dGradient(tf));
  put("Conv3DBackpropFilterV2", convolution3dFilterGradient(tf));
  put("Conv3DBackpropInputV2", convolution3dInputGradient(tf));
}

/** Mend every backend that is loaded. */
export function mendLoaded(tf: Core): void {
  for (const backend of BACKENDS) mend(tf, backend);
}
