/** An optimizer's rule as one program of the GPU. */

import { engine, getBackend, type Tensor, type TensorInfo } from "@tensorflow/tfjs-core";
import { type Program, runProgram } from "../programs";
import type { Norms } from "./norms";
import type { OptimizerRule } from "./rules";

type Ternary = (condition: string, yes: string, no: string) => string;

/** What stands in the row that is asked for: the weight, then its slots. */
function chosen(slots: number, ternary: Ternary): string {
  let text = "w";
  for (let index = 0; index < slots; index++) text = ternary(`at.x == ${index + 1}`, `s${index}`, text);
  return text;
}

/** Scale the gradient by its norm, or by the norm of all. The limit is the last constant. */
function clipped(norms: Norms | null, limit: string, whole: string): string {
  if (norms === null) return "";
  const index = norms.owner === null ? "0" : `${whole}(getI(at.y))`;
  return `g = g * (${limit} / max(sqrt(getN(${index})), ${limit}));`;
}

function programOf(
  rule: OptimizerRule,
  norms: Norms | null,
  { limit, inputs, outputShape }: { limit: string; inputs: number; outputShape: readonly number[] },
): Program {
  const slots = rule.slotNames.length;
  const read = (declare: string): string =>
    [
      `${declare} w = getS(0, at.y); ${declare} g = getG(at.y);`,
      ...rule.slotNames.map((_, index) => `${declare} s${index} = getS(${index + 1}, at.y);`),
    ].join(" ");
  const row = chosen(slots, (condition, yes, no) => `(${condition} ? ${yes} : ${no})`);
  const selected = chosen(slots, (condition, yes, no) => `select(${no}, ${yes}, ${condition})`);
  const body = (declare: string, whole: string): string => `${read(declare)} ${clipped(norms, limit, whole)} ${rule.shader}`;
  return {
    key: `update ${norms === null ? "" : norms.clipping.of} ${rule.shader}`,
    inputs: ["S", "G", "N", "I"].slice(0, inputs),
    outputShape,
    glsl: `ivec2 at = getOutputCoords(); ${body("float", "int")} setOutput(${row});`,
    wgsl: `let at = getCoordsFromIndex(index); ${body("var", "i32")} setOutputAtIndex(index, ${selected});`,
  };
}

/** Make the next [1 + slots, numbers] from the present one and the gradients [numbers]. */
export function runUpdate(
  rule: OptimizerRule,
  state: Tensor,
  gradient: Tensor,
  constants: readonly number[],
  norms: Norms | null,
): TensorInfo {
  const inputs = [state, gradient];
  if (norms !== null) inputs.push(norms.squares, ...(norms.owner === null ? [] : [norms.owner]));
  const limit = `c${constants.length}`;
  const program = programOf(rule, norms, { limit, inputs: inputs.length, outputShape: state.shape });
  const all = norms === null ? constants : [...constants, norms.clipping.limit];
  return runProgram(getBackend(), engine().backend, program, inputs, all);
}
