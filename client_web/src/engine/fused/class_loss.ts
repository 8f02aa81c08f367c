/**
 * Keras's sparse categorical cross-entropy of probabilities, each row's, as one kernel forward and one
 * backward: -log(clip(y_t / sum(y))). TF.js's own operations need some forty for it.
 */

import {
  engine,
  getKernel,
  type KernelConfig,
  registerGradient,
  registerKernel,
  type Tensor,
  type TensorInfo,
} from "@tensorflow/tfjs-core";
import { emptyTensor, HOST_BACKENDS, valuesOf } from "../host_memory";
import { type Program, runProgram } from "../programs";

const NAME = "PotluckClassLoss";
const GRADIENT = "PotluckClassLossGradient";
/** Keras's backend epsilon. */
const LEAST = 1e-7;
const MOST = Math.fround(1 - LEAST);

type Inputs = Readonly<Record<"outputs" | "targets" | "dy", TensorInfo>>;

function sizes({ shape }: TensorInfo): [number, number] {
  const [rows = 0, classes = 0] = shape;
  return [rows, classes];
}

/** A row's probability of its class, and the sum of what stood there for all classes. */
function likelihood(outputs: Float32Array, row: number, classes: number, target: number): [number, number] {
  let total = 0;
  for (let j = row * classes; j < (row + 1) * classes; j++) total += outputs[j] ?? 0;
  return [(outputs[row * classes + target] ?? Number.NaN) / total, total];
}

function onHost({ outputs, targets }: Inputs): TensorInfo {
  const [rows, classes] = sizes(outputs);
  const made = emptyTensor([rows]);
  const [from, of, to] = [valuesOf(outputs) as Float32Array, valuesOf(targets), valuesOf(made)];
  for (let row = 0; row < rows; row++) {
    const [p] = likelihood(from, row, classes, of[row] ?? -1);
    to[row] = -Math.log(Math.min(Math.max(p, LEAST), MOST));
  }
  return made;
}

function gradientOnHost({ outputs, targets, dy }: Inputs): TensorInfo {
  const [rows, classes] = sizes(outputs);
  const made = emptyTensor([rows, classes]);
  const [from, of, by, to] = [valuesOf(outputs) as Float32Array, valuesOf(targets), valuesOf(dy), valuesOf(made)];
  for (let row = 0; row < rows; row++) {
    const target = of[row] ?? -1;
    const [p, total] = likelihood(from, row, classes, target);
    // NaN is outside of neither bound, and goes on.
    const outside = p < LEAST || p > MOST;
    const factor = outside ? 0 : -(by[row] ?? 0) / (p * total);
    for (let j = 0; j < classes; j++) to[row * classes + j] = factor * ((j === target ? 1 : 0) - p);
  }
  return made;
}

/** The same for a GPU; `row` is declared before. */
function likelihoodOnGpu(classes: number, float: string, int: string, target: string): string {
  return `${float} total = 0.0;
    for (${int} k = 0; k < ${classes}; k = k + 1) { total = total + getY(row, k); }
    ${target}
    ${float} p = getY(row, t) / total;`;
}

const GLSL_TARGET = "int t = int(getT(row) + 0.5);";
const WGSL_TARGET = "let t = i32(getT(row));";

function program(rows: number, classes: number): Program {
  const key = `class loss ${classes}`;
  const loss = `-log(clamp(p, ${LEAST}, ${MOST}))`;
  return {
    key,
    inputs: ["Y", "T"],
    outputShape: [rows],
    glsl: `int row = getOutputCoords(); ${likelihoodOnGpu(classes, "float", "int", GLSL_TARGET)} setOutput(${loss});`,
    wgsl: `let row = index; ${likelihoodOnGpu(classes, "var", "var", WGSL_TARGET)} setOutputAtIndex(index, ${loss});`,
  };
}

function gradientProgram(rows: number, classes: number): Program {
  const inside = `p >= ${LEAST} && p <= ${MOST}`;
  const value = (hit: string): string => `-getD(row) / (p * total) * (${hit} - p)`;
  return {
    key: `class loss gradient ${classes}`,
    inputs: ["Y", "T", "D"],
    outputShape: [rows, classes],
    glsl: `ivec2 at = getOutputCoords(); int row = at.x;
      ${likelihoodOnGpu(classes, "float", "int", GLSL_TARGET)}
      setOutput(${inside} ? ${value("(at.y == t ? 1.0 : 0.0)")} : 0.0);`,
    wgsl: `let at = getCoordsFromIndex(index); let row = at.x;
      ${likelihoodOnGpu(classes, "var", "var", WGSL_TARGET)}
      setOutputAtIndex(index, select(0.0, ${value("select(0.0, 1.0, at.y == t)")}, ${inside}));`,
  };
}

let differentiable = false;

/** Teach a backend that is loaded this loss; does nothing the second time. */
export function registerClassLoss(backendName: string): void {
  if ((getKernel(NAME, backendName) as KernelConfig | undefined) !== undefined) return;
  const host = HOST_BACKENDS.has(backendName);
  registerKernel({
    kernelName: NAME,
    backendName,
    kernelFunc: ({ inputs, backend }) => {
      const given = inputs as unknown as Inputs;
      if (host) return onHost(given);
      return runProgram(backendName, backend, program(...sizes(given.outputs)), [given.outputs, given.targets]);
    },
  });
  registerKernel({
    kernelName: GRADIENT,
    backendName,
    kernelFunc: ({ inputs, backend }) => {
      const given = inputs as unknown as Inputs;
      if (host) return gradientOnHost(given);
      const { outputs, targets, dy } = given;
      return runProgram(backendName, backend, gradientProgram(...sizes(outputs)), [outputs, targets, dy]);
    },
  });
  if (differentiable) return;
  differentiable = true;
  registerGradient({
    kernelName: NAME,
    inputsToSave: ["outputs", "targets"],
    gradFunc: (dy, saved) => {
      const [outputs, targets] = saved as [Tensor, Tensor];
      return { outputs: () => engine().runKernel(GRADIENT, { outputs, targets, dy: dy as Tensor }) as Tensor };
    },
  });
}

/** Say whether the present backend knows this loss for such tensors. */
export function hasClassLoss(outputs: Tensor): boolean {
  const known = getKernel(NAME, engine().backendName) as KernelConfig | undefined;
  return known !== undefined && outputs.rank === 2 && outputs.dtype === "float32";
}

/** Give each row's loss: outputs [rows, classes] (probabilities), targets int32 [rows] -> [rows]. */
export function classLoss(outputs: Tensor, targets: Tensor): Tensor {
  return engine().runKernel(NAME, { outputs, targets }) as Tensor;
}
