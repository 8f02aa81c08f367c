/**
 * GPUs: small operations on rows [rows, columns] as one program each. TF.js makes several of them, and on
 * WebGL changes the layout of textures in between.
 */

import {
  engine,
  getKernel,
  type KernelConfig,
  type NamedTensorMap,
  registerGradient,
  registerKernel,
  type Tensor,
  type TensorInfo,
} from "@tensorflow/tfjs-core";
import { type Program, runProgram } from "../programs";

const RELU_GRADIENT = "PotluckReluGradient";
const COLUMN_SUMS = "PotluckColumnSums";
const SOFTMAX = "PotluckSoftmax";
const SOFTMAX_GRADIENT = "PotluckSoftmaxGradient";

/** Every number of a row's softmax looks at the whole row: not for long ones. */
const MOST_CLASSES = 128;

interface RowKernel {
  readonly inputs: readonly string[];
  readonly program: (rows: number, columns: number) => Program;
}

function perNumber(key: string, inputs: readonly string[], shape: [number, number], parts: Parts): Program {
  const { glsl, wgsl, value } = parts;
  return {
    key,
    inputs,
    outputShape: shape,
    glsl: `ivec2 at = getOutputCoords(); ${glsl} setOutput(${value});`,
    wgsl: `let at = getCoordsFromIndex(index); ${wgsl} setOutputAtIndex(index, ${value});`,
  };
}

interface Parts {
  readonly glsl: string;
  readonly wgsl: string;
  readonly value: string;
}

/** Statements for both languages: they differ in how variables are declared. */
function statements(write: (float: string, int: string) => string): Pick<Parts, "glsl" | "wgsl"> {
  return { glsl: write("float", "int"), wgsl: write("var", "var") };
}

const KERNELS: Readonly<Record<string, RowKernel>> = {
  [RELU_GRADIENT]: {
    inputs: ["dy", "y"],
    program: (rows, columns) =>
      perNumber("relu gradient", ["D", "Y"], [rows, columns], {
        // NaN goes on, as it does through a product.
        ...statements((float) => `${float} y = getY(at.x, at.y); ${float} d = getD(at.x, at.y); if (y <= 0.0) { d = 0.0; }`),
        value: "d",
      }),
  },
  [COLUMN_SUMS]: {
    inputs: ["x"],
    program: (rows, columns) => {
      const sum = (float: string, int: string): string =>
        `${float} sum = 0.0; for (${int} k = 0; k < ${rows}; k = k + 1) { sum = sum + getX(k, at); }`;
      return {
        key: `column sums ${rows}`,
        inputs: ["X"],
        outputShape: [columns],
        glsl: `int at = getOutputCoords(); ${sum("float", "int")} setOutput(sum);`,
        wgsl: `let at = index; ${sum("var", "var")} setOutputAtIndex(index, sum);`,
      };
    },
  },
  [SOFTMAX]: {
    inputs: ["x"],
    program: (rows, columns) =>
      perNumber(`softmax ${columns}`, ["X"], [rows, columns], {
        ...statements(
          (float, int) => `${float} top = getX(at.x, 0);
            for (${int} k = 1; k < ${columns}; k = k + 1) { top = max(top, getX(at.x, k)); }
            ${float} sum = 0.0;
            for (${int} k = 0; k < ${columns}; k = k + 1) { sum = sum + exp(getX(at.x, k) - top); }`,
        ),
        value: "exp(getX(at.x, at.y) - top) / sum",
      }),
  },
  [SOFTMAX_GRADIENT]: {
    inputs: ["dy", "y"],
    program: (rows, columns) =>
      perNumber(`softmax gradient ${columns}`, ["D", "Y"], [rows, columns], {
        ...statements(
          (float, int) => `${float} sum = 0.0;
            for (${int} k = 0; k < ${columns}; k = k + 1) { sum = sum + getD(at.x, k) * getY(at.x, k); }`,
        ),
        value: "getY(at.x, at.y) * (getD(at.x, at.y) - sum)",
      }),
  },
};

function run(name: string, inputs: NamedTensorMap): Tensor {
  return engine().runKernel(name, inputs) as Tensor;
}

let differentiable = false;

/** Teach a GPU's backend these operations; does nothing the second time. */
export function registerRows(backendName: string): void {
  if ((getKernel(SOFTMAX, backendName) as KernelConfig | undefined) !== undefined) return;
  for (const [kernelName, { inputs: names, program }] of Object.entries(KERNELS)) {
    registerKernel({
      kernelName,
      backendName,
      kernelFunc: ({ inputs, backend }) => {
        const given = names.map((name) => inputs[name] as TensorInfo);
        const [rows = 0, columns = 0] = given[0]?.shape ?? [];
        return runProgram(backendName, backend, program(rows, columns), given);
      },
    });
  }
  if (differentiable) return;
  differentiable = true;
  registerGradient({
    kernelName: SOFTMAX,
    outputsToSave: [true],
    gradFunc: (dy, saved) => ({ x: () => run(SOFTMAX_GRADIENT, { dy: dy as Tensor, y: saved[0] as Tensor }) }),
  });
}

/** Gradient through ReLU, from its output: [rows, columns]. */
export function reluGradient(dy: Tensor, y: Tensor): Tensor {
  return run(RELU_GRADIENT, { dy, y });
}

/** [rows, columns] -> [columns]. */
export function columnSums(x: Tensor): Tensor {
  return run(COLUMN_SUMS, { x });
}

/** Say whether rows are short enough for `softmax`. */
export function hasSoftmax(x: Tensor): boolean {
  const known = getKernel(SOFTMAX, engine().backendName) as KernelConfig | undefined;
  return known !== undefined && x.rank === 2 && (x.shape[1] ?? 0) <= MOST_CLASSES;
}

/** Softmax of each row. */
export function softmaxOfRows(x: Tensor): Tensor {
  return run(SOFTMAX, { x });
}
