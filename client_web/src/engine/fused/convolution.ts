/**
 * Convolutions of images with bias and ReLU as one kernel forward while training too, as TF.js has them in
 * prediction only. Backward, the bias takes sums of columns instead of TF.js's sums over three axes.
 */

import { engine, getBackend, getKernel, type KernelConfig, matMul, mul, ones, registerGradient, registerKernel, reshape, step, type Tensor, type Tensor2D } from "@tensorflow/tfjs-core";
import { layers } from "@tensorflow/tfjs-layers";
import { HOST_BACKENDS } from "../host_memory";
import { columnSums, registerRows, reluGradient } from "./gpu_rows";

const NAME = "PotluckConvolution";
const FUSED = new Set(["linear", "relu"]);

interface ConvolutionLayer {
  readonly kernel: { read(): Tensor };
  readonly bias: { read(): Tensor } | null;
  readonly activation: { getClassName(): string; apply(x: Tensor): Tensor };
  readonly strides: number[];
  readonly dilationRate: number | number[];
  readonly padding: string;
  readonly dataFormat: string;
  call(inputs: Tensor | Tensor[], kwargs: object): Tensor | Tensor[];
}

interface Attributes {
  readonly strides: [number, number];
  readonly pad: "same" | "valid";
  readonly activation: string;
}

function registerConvolution(backendName: string): void {
  if ((getKernel(NAME, backendName) as KernelConfig | undefined) !== undefined) return;
  const { kernelFunc } = getKernel("FusedConv2D", backendName);
  registerKernel({
    kernelName: NAME,
    backendName,
    kernelFunc: ({ inputs, attrs, backend }) =>
      kernelFunc({ inputs, attrs: { ...attrs, dataFormat: "NHWC", dilations: [1, 1] }, backend }),
  });
}

function flat(x: Tensor): Tensor2D {
  return reshape(x, [-1, x.shape[x.rank - 1] ?? 1]);
}

function registerConvolutionGradient(): void {
  registerGradient({
    kernelName: NAME,
    inputsToSave: ["x", "filter"],
    outputsToSave: [true],
    gradFunc: (dy, saved, attrs) => {
      const [x, filter, y] = saved as [Tensor, Tensor, Tensor];
      const { strides, pad, activation } = attrs as unknown as Attributes;
      const onHost = HOST_BACKENDS.has(getBackend());
      const behind = (): Tensor =>
        onHost ? mul(dy as Tensor, step(y)) : reshape(reluGradient(flat(dy as Tensor), flat(y)), y.shape);
      const dz = activation === "relu" ? behind() : (dy as Tensor);
      const given = { strides, pad, dataFormat: "NHWC" };
      const sums = (rows: Tensor2D): Tensor =>
        onHost ? reshape(matMul(ones([1, rows.shape[0]]), rows), [rows.shape[1]]) : columnSums(rows);
      return {
        x: () => engine().runKernel("Conv2DBackpropInput", { dy: dz, filter }, { ...given, inputShape: x.shape }) as Tensor,
        filter: () => engine().runKernel("Conv2DBackpropFilter", { x, dy: dz }, { ...given, filterShape: filter.shape }) as Tensor,
        bias: () => sums(flat(dz)),
      };
    },
  });
}

/** Say whether a layer is one that the kernels below compute. */
function plain(layer: ConvolutionLayer, x: Tensor | undefined): x is Tensor {
  return (
    x?.rank === 4 &&
    x.dtype === "float32" &&
    layer.bias !== null &&
    layer.dataFormat === "channelsLast" &&
    (layer.padding === "same" || layer.padding === "valid") &&
    [layer.dilationRate].flat().every((rate) => rate === 1)
  );
}

let fusing = false;

/** Let TF.js's Conv2D layers be fused on a backend that is loaded; does nothing the second time. */
export function fuseConvolutions(backendName: string): void {
  registerConvolution(backendName);
  if (!HOST_BACKENDS.has(backendName)) registerRows(backendName);
  if (fusing) return;
  fusing = true;
  registerConvolutionGradient();
  const prototype = Object.getPrototypeOf(layers.conv2d({ filters: 1, kernelSize: 1, name: "unused" })) as ConvolutionLayer;
  const stock = prototype.call;
  prototype.call = function (this: ConvolutionLayer, inputs, kwargs) {
    const x = Array.isArray(inputs) ? inputs[0] : inputs;
    if (!plain(this, x) || this.bias === null) return stock.call(this, inputs, kwargs);
    const activation = this.activation.getClassName();
    const fused = FUSED.has(activation);
    const [height = 1, width = height] = this.strides;
    const attrs = { strides: [height, width], pad: this.padding, activation: fused ? activation : "linear" };
    const y = engine().runKernel(NAME, { x, filter: this.kernel.read(), bias: this.bias.read() }, attrs) as Tensor;
    return fused ? y : this.activation.apply(y);
  };
}
