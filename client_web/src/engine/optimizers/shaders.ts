/** An optimizer's rule as programs of the GPU. */

import { engine, getBackend, type Tensor, type TensorInfo } from "@tensorflow/tfjs-core";
import { type Program, runPacked, runProgram } from "../programs";
import type { Norms } from "./norms";
import type { OptimizerRule } from "./rules";

/** Statements that read a weight, its gradient and its slots, and compute the new ones. */
function computing(rule: OptimizerRule, declare: string, first: string): string {
  return [
    `${declare} w = getS(0, at); ${declare} g = getG(at);`,
    ...rule.slotNames.map((_, index) => `${declare} s${index} = getS(${index + 1}, at);`),
    first,
    rule.shader,
  ].join(" ");
}

/** Scale the gradient by its norm, or by the norm of all. The limit is the last constant. */
function clipped(norms: Norms | null, limit: string, whole: string): string {
  if (norms === null) return "";
  const index = norms.owner === null ? "0" : `${whole}(getI(at))`;
  return `g = g * (${limit} / max(sqrt(getN(${index})), ${limit}));`;
}

function programOf(
  rule: OptimizerRule,
  norms: Norms | null,
  limit: string,
  [rows = 1, numbers = 0]: readonly number[],
): Program {
  let row = "w";
  for (let index = 0; index < rule.slotNames.length; index++) row = `(rc.x == ${index + 1} ? s${index} : ${row})`;
  const writes = rule.slotNames.map((_, index) => `setOutputAtIndex(index + ${(index + 1) * numbers}, s${index});`);
  const inputs = ["S", "G"];
  if (norms !== null) inputs.push("N", ...(norms.owner === null ? [] : ["I"]));
  const body = (declare: string, whole: string): string => computing(rule, declare, clipped(norms, limit, whole));
  return {
    key: `update ${norms === null ? "" : norms.clipping.of} ${numbers} ${rule.shader}`,
    inputs,
    outputShape: [rows, numbers],
    // WebGL writes one number at a time, and computes it anew for each of its rows.
    glsl: `ivec2 rc = getOutputCoords(); int at = rc.y; ${body("float", "int")} setOutput(${row});`,
    wgsl: `let at = index; ${body("var", "i32")} setOutputAtIndex(index, w); ${writes.join(" ")}`,
    threads: numbers,
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
  const program = programOf(rule, norms, `c${constants.length}`, state.shape);
  const all = norms === null ? constants : [...constants, norms.clipping.limit];
  return runProgram(getBackend(), engine().backend, program, inputs, all);
}

/** GLSL for one of the new values: `w`, or a slot's `s0`, `s1`, ... Four numbers of a matrix a fragment. */
function packedGlsl(rule: OptimizerRule, wanted: string): string {
  const slots = rule.slotNames.map((_, index) => `s${index}`);
  const parameters = ["w", "g", ...slots].map((name) => `float ${name}`).join(", ");
  const reads = ["w", "g", ...slots].map((name) => `vec4 ${name} = get${name.toUpperCase()}AtOutCoords();`).join(" ");
  const number = (i: number): string => `updated(${["w", "g", ...slots].map((name) => `${name}[${i}]`).join(", ")})`;
  // Products read what lies beyond the last row and column: it stays zero.
  return `float updated(${parameters}) { ${rule.shader} return ${wanted}; }
    void main() {
      ivec2 rc = getOutputCoords();
      bool below = rc.x + 1 < outShape[0];
      bool beside = rc.y + 1 < outShape[1];
      ${reads}
      setOutput(vec4(${number(0)}, beside ? ${number(1)} : 0.0, below ? ${number(2)} : 0.0, below && beside ? ${number(3)} : 0.0));
    }`;
}

/** WebGL: make a matrix's next weight and slots, [weight, ...slots], from the present ones and its gradient. */
export function updateMatrix(
  rule: OptimizerRule,
  weight: TensorInfo,
  slots: readonly TensorInfo[],
  gradient: TensorInfo,
  constants: readonly number[],
): TensorInfo[] {
  const inputs = ["W", "G", ...slots.map((_, index) => `S${index}`)];
  return ["w", ...slots.map((_, index) => `s${index}`)].map((wanted) => {
    const program = { inputs, outputShape: weight.shape, glsl: packedGlsl(rule, wanted) };
    return runPacked(engine().backend, program, [weight, gradient, ...slots], constants);
  });
}
