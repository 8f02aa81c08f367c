/** An optimizer's rule as one WebGL or WebGPU program, run by TF.js's own backends. */

import { engine, getBackend, type Tensor, type TensorInfo } from "@tensorflow/tfjs-core";
import type { OptimizerRule } from "./rules";

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

/** The row of the output that is asked for: the weight's, then the slots'. */
function chosen(slots: number, row: string, ternary: (condition: string, yes: string, no: string) => string): string {
  let text = "w";
  for (let index = 0; index < slots; index++) text = ternary(`${row} == ${index + 1}`, `s${index}`, text);
  return text;
}

function glsl(rule: OptimizerRule, constants: number): object {
  const slots = rule.slotNames.map((_, index) => `float s${index} = getS(${index + 1}, at.y);`);
  const row = chosen(slots.length, "at.x", (condition, yes, no) => `(${condition} ? ${yes} : ${no})`);
  return {
    variableNames: ["S", "G"],
    customUniforms: Array.from({ length: constants }, (_, index) => ({ name: `c${index}`, type: "float" })),
    userCode: `void main() {
      ivec2 at = getOutputCoords();
      float w = getS(0, at.y);
      float g = getG(at.y);
      ${slots.join("\n")}
      ${rule.shader}
      setOutput(${row});
    }`,
  };
}

function wgsl(rule: OptimizerRule, constants: number): object {
  const slots = rule.slotNames.map((_, index) => `var s${index} = getS(${index + 1}, at.y);`);
  const row = chosen(slots.length, "at.x", (condition, yes, no) => `select(${no}, ${yes}, ${condition})`);
  const names = Array.from({ length: constants }, (_, index) => `c${index}`);
  const read = names.map((name) => `let ${name} = uniforms.${name};`);
  return {
    variableNames: ["S", "G"],
    shaderKey: `potluck_update ${rule.shader}`,
    uniforms: names.map((name) => `${name} : f32,`).join(" "),
    workgroupSize: [WORKGROUP, 1, 1],
    dispatchLayout: { x: [0, 1] },
    size: true,
    getUserCode: () => `fn main(index : i32) {
      if (index < uniforms.size) {
        let at = getCoordsFromIndex(index);
        var w = getS(0, at.y);
        let g = getG(at.y);
        ${[...read, ...slots].join("\n")}
        ${rule.shader}
        setOutputAtIndex(index, ${row});
      }
    }`,
  };
}

/** Groups of threads in each direction; WebGPU allows 65,535. */
function dispatch(size: number): [number, number, number] {
  const groups = Math.ceil(size / WORKGROUP);
  const across = Math.min(groups, 65_535);
  return [across, Math.ceil(groups / across), 1];
}

/** Make the next [1 + slots, numbers] from the present one and the gradients [numbers]. */
export function runUpdate(
  rule: OptimizerRule,
  state: Tensor,
  gradient: Tensor,
  constants: readonly number[],
): TensorInfo {
  const outputShape = state.shape;
  if (getBackend() === "webgl") {
    const backend = engine().backend as unknown as WebglBackend;
    const program = { ...glsl(rule, constants.length), outputShape };
    return backend.runWebGLProgram(program, [state, gradient], "float32", constants.map((value) => [value]));
  }
  const backend = engine().backend as unknown as WebgpuBackend;
  const program = { ...wgsl(rule, constants.length), outputShape, dispatch: dispatch(state.size) };
  const uniforms = constants.map((value) => ({ type: "float32" as const, data: [value] }));
  return backend.runWebGPUProgram(program, [state, gradient], "float32", uniforms);
}
