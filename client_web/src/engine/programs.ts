/** GPU programs of our own, run by TF.js's WebGL and WebGPU backends. */

import type { TensorInfo } from "@tensorflow/tfjs-core";

export interface Program {
  /** Names the code: equal keys, equal code. */
  readonly key: string;
  /** Inputs are read as getNAME(...). */
  readonly inputs: readonly string[];
  readonly outputShape: readonly number[];
  /** The body of GLSL's main; it ends with setOutput(...). */
  readonly glsl: string;
  /** WGSL for one number of the output; it ends with setOutputAtIndex(index, ...). */
  readonly wgsl: string;
  /** WebGPU: run for so many indices, where one of them writes several numbers of the output. */
  readonly threads?: number;
}

/** WebGL only: a program on matrices as TF.js's products leave and read them, 2x2 numbers a texel. */
export interface PackedProgram {
  readonly inputs: readonly string[];
  readonly outputShape: readonly number[];
  /** Whole GLSL, main included. Inputs are read as getNAMEAtOutCoords(), `outShape` is the output's. */
  readonly glsl: string;
}

/** What TF.js's backends of GPUs have for programs of others. */
interface WebglBackend {
  runWebGLProgram(
    program: object,
    inputs: readonly TensorInfo[],
    dtype: "float32",
    uniforms: readonly (readonly number[])[],
  ): TensorInfo;
}

interface WebgpuBackend {
  runWebGPUProgram(
    program: object,
    inputs: readonly TensorInfo[],
    dtype: "float32",
    uniforms: readonly { readonly type: "float32"; readonly data: readonly number[] }[],
  ): TensorInfo;
}

const WORKGROUP = 64;
const MOST_GROUPS = 65_535;

/** Groups of threads in each direction, of which WebGPU allows so many. */
function dispatch(size: number): [number, number, number] {
  const groups = Math.ceil(size / WORKGROUP);
  const across = Math.min(groups, MOST_GROUPS);
  return [across, Math.ceil(groups / across), 1];
}

function onWebgl(program: Program, inputs: readonly TensorInfo[], constants: readonly number[], backend: WebglBackend) {
  const made = {
    variableNames: program.inputs,
    outputShape: program.outputShape,
    customUniforms: constants.map((_, index) => ({ name: `c${index}`, type: "float" })),
    userCode: `void main() { ${program.glsl} }`,
  };
  return backend.runWebGLProgram(made, inputs, "float32", constants.map((value) => [value]));
}

/** Run a program on packed matrices, all of the output's shape; `constants` are its c0, c1, ... */
export function runPacked(
  backend: unknown,
  program: PackedProgram,
  inputs: readonly TensorInfo[],
  constants: readonly number[],
): TensorInfo {
  const made = {
    variableNames: program.inputs,
    outputShape: program.outputShape,
    packedInputs: true,
    packedOutput: true,
    // One program for matrices of all shapes.
    enableShapeUniforms: true,
    customUniforms: constants.map((_, index) => ({ name: `c${index}`, type: "float" })),
    userCode: program.glsl,
  };
  return (backend as WebglBackend).runWebGLProgram(made, inputs, "float32", constants.map((value) => [value]));
}

function onWebgpu(program: Program, inputs: readonly TensorInfo[], constants: readonly number[], backend: WebgpuBackend) {
  const names = constants.map((_, index) => `c${index}`);
  const size = program.threads ?? program.outputShape.reduce((product, axis) => product * axis, 1);
  const made = {
    variableNames: program.inputs,
    outputShape: program.outputShape,
    shaderKey: `potluck ${program.key}`,
    uniforms: names.map((name) => `${name} : f32,`).join(" "),
    workgroupSize: [WORKGROUP, 1, 1],
    dispatchLayout: { x: program.outputShape.map((_, axis) => axis) },
    dispatch: dispatch(size),
    // TF.js's own `size` counts the numbers of the output.
    size: program.threads === undefined,
    getUserCode: () => `fn main(index : i32) {
      if (index < ${program.threads ?? "uniforms.size"}) {
        ${names.map((name) => `let ${name} = uniforms.${name};`).join(" ")}
        ${program.wgsl}
      }
    }`,
  };
  return backend.runWebGPUProgram(made, inputs, "float32", constants.map((value) => ({ type: "float32", data: [value] })));
}

/** Run a program; `constants` are its c0, c1, ... */
export function runProgram(
  backendName: string,
  backend: unknown,
  program: Program,
  inputs: readonly TensorInfo[],
  constants: readonly number[] = [],
): TensorInfo {
  return backendName === "webgl"
    ? onWebgl(program, inputs, constants, backend as WebglBackend)
    : onWebgpu(program, inputs, constants, backend as WebgpuBackend);
}
