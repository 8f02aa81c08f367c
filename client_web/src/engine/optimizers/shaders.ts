/** An optimizer's rule as one program of the GPU. */

import { engine, getBackend, type Tensor, type TensorInfo } from "@tensorflow/tfjs-core";
import { type Program, runProgram } from "../programs";
import type { OptimizerRule } from "./rules";

type Ternary = (condition: string, yes: string, no: string) => string;

/** What stands in the row that is asked for: the weight, then its slots. */
function chosen(slots: number, ternary: Ternary): string {
  let text = "w";
  for (let index = 0; index < slots; index++) text = ternary(`at.x == ${index + 1}`, `s${index}`, text);
  return text;
}

function programOf(rule: OptimizerRule, outputShape: readonly number[]): Program {
  const slots = rule.slotNames.length;
  const read = (declare: string): string =>
    [
      `${declare} w = getS(0, at.y); ${declare} g = getG(at.y);`,
      ...rule.slotNames.map((_, index) => `${declare} s${index} = getS(${index + 1}, at.y);`),
    ].join(" ");
  const row = chosen(slots, (condition, yes, no) => `(${condition} ? ${yes} : ${no})`);
  const selected = chosen(slots, (condition, yes, no) => `select(${no}, ${yes}, ${condition})`);
  return {
    key: `update ${rule.shader}`,
    inputs: ["S", "G"],
    outputShape,
    glsl: `ivec2 at = getOutputCoords(); ${read("float")} ${rule.shader} setOutput(${row});`,
    wgsl: `let at = getCoordsFromIndex(index); ${read("var")} ${rule.shader} setOutputAtIndex(index, ${selected});`,
  };
}

/** Make the next [1 + slots, numbers] from the present one and the gradients [numbers]. */
export function runUpdate(
  rule: OptimizerRule,
  state: Tensor,
  gradient: Tensor,
  constants: readonly number[],
): TensorInfo {
  const program = programOf(rule, state.shape);
  return runProgram(getBackend(), engine().backend, program, [state, gradient], constants);
}
