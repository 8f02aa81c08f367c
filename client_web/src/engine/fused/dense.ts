/**
 * Dense layers as one kernel forward (product, bias, ReLU) and four backward. TF.js fuses them in prediction
 * only; while training it launches about three times as many, and adds biases up along the slow axis.
 */

import {
  engine,
  getBackend,
  getKernel,
  type KernelConfig,
  matMul,
  mul,
  ones,
  registerGradient,
  registerKernel,
  reshape,
  step,
  type Tensor,
  type Tensor2D,
  type TensorInfo,
} from "@tensorflow/tfjs-core";
import { layers } from "@tensorflow/tfjs-layers";
import { HOST_BACKENDS } from "../host_memory";
import { columnSums, hasSoftmax, registerRows, reluGradient, softmaxOfRows } from "./gpu_rows";
import { DENSE as NAME } from "./names";

const FUSED = new Set(["linear", "relu"]);

interface DenseLayer {
  readonly kernel: { read(): Tensor };
  readonly bias: { read(): Tensor } | null;
  readonly activation: { getClassName(): string; apply(x: Tensor): Tensor };
  call(inputs: Tensor | Tensor[], kwargs: object): Tensor | Tensor[];
}

/** Let a backend multiply, add and rectify in one kernel. */
function registerDense(backendName: string): void {
  if ((getKernel(NAME, backendName) as KernelConfig | undefined) !== undefined) return;
  const fused = getKernel("_FusedMatMul", backendName);
  registerKernel({
    kernelName: NAME,
    backendName,
    kernelFunc: ({ inputs, attrs, backend }) => {
      const { x, kernel, bias } = inputs as unknown as Record<"x" | "kernel" | "bias", TensorInfo>;
      // On WASM this kernel takes batches of matrices only.
      const [a, b] = backendName === "wasm" ? [batched(x), batched(kernel)] : [x, kernel];
      const activation = attrs?.["activation"] ?? "linear";
      const made = fused.kernelFunc({
        inputs: { a, b, bias },
        attrs: { transposeA: false, transposeB: false, activation },
        backend,
      }) as TensorInfo;
      return { ...made, shape: [x.shape[0] ?? 0, kernel.shape[1] ?? 0] };
    },
  });
}

/** The same values as a batch of one matrix. */
function batched({ dataId, dtype, shape }: TensorInfo): TensorInfo {
  return { dataId, dtype, shape: [1, ...shape] };
}

/** Add rows up as a product, which WASM does faster than a sum along its slow axis. */
function sumByProduct(rows: Tensor2D): Tensor {
  return reshape(matMul(ones([1, rows.shape[0]]), rows), [rows.shape[1]]);
}

function registerDenseGradient(): void {
  registerGradient({
    kernelName: NAME,
    inputsToSave: ["x", "kernel"],
    outputsToSave: [true],
    gradFunc: (dy, saved, attrs) => {
      const [x, kernel, y] = saved as [Tensor2D, Tensor2D, Tensor2D];
      const activation = attrs["activation"];
      const onHost = HOST_BACKENDS.has(getBackend());
      const behind = (): Tensor => (onHost ? mul(dy as Tensor, step(y)) : reluGradient(dy as Tensor, y));
      const dz = (activation === "relu" ? behind() : dy) as Tensor2D;
      return {
        x: () => matMul(dz, kernel, false, true),
        kernel: () => matMul(x, dz, true, false),
        bias: () => (onHost ? sumByProduct(dz) : columnSums(dz)),
      };
    },
  });
}

let fusing = false;

/** Let TF.js's Dense layers be fused on a backend that is loaded; does nothing the second time. */
export function fuseDense(backendName: string): void {
  registerDense(backendName);
  if (!HOST_BACKENDS.has(backendName)) registerRows(backendName);
  if (fusing) return;
  fusing = true;
  registerDenseGradient();
  const prototype = Object.getPrototypeOf(layers.dense({ units: 1, name: "unused" })) as DenseLayer;
  const stock = prototype.call;
  prototype.call = function (this: DenseLayer, inputs, kwargs) {
    const x = Array.isArray(inputs) ? inputs[0] : inputs;
    // Without a bias there is less to win, and of higher ranks TF.js makes products of its own.
    if (x?.rank !== 2 || x.dtype !== "float32" || this.bias === null) return stock.call(this, inputs, kwargs);
    const activation = this.activation.getClassName();
    const fused = FUSED.has(activation);
    const given = { x, kernel: this.kernel.read(), bias: this.bias.read() };
    const attrs = { activation: fused ? activation : "linear" };
    const y = engine().runKernel(NAME, given, attrs) as Tensor;
    if (fused) return y;
    return activation === "softmax" && hasSoftmax(y) ? softmaxOfRows(y) : this.activation.apply(y);
  };
}
