/**
 * Programs of a stack's own on GPUs. A body is written once, in what GLSL and WGSL share: variables are
 * declared as FLOAT and INT, numbers change their kind by toInt(...) and toFloat(...), and `value` is the
 * number at `at` that the body is to find.
 */

import { engine, getBackend, type Tensor, type TensorInfo } from "@tensorflow/tfjs-core";
import { runProgram } from "../programs";

interface WebglBackend {
  runWebGLProgram(program: object, inputs: readonly TensorInfo[], dtype: "float32", uniforms?: readonly (readonly number[])[]): TensorInfo;
}

function asTensor(made: TensorInfo): Tensor {
  return engine().makeTensorFromTensorInfo(made);
}

function glslOf(body: string): string {
  return body.replaceAll("FLOAT ", "float ").replaceAll("INT ", "int ").replaceAll("toInt(", "int(").replaceAll("toFloat(", "float(");
}

function wgslOf(body: string): string {
  return body.replaceAll("FLOAT ", "var ").replaceAll("INT ", "var ").replaceAll("toInt(", "i32(").replaceAll("toFloat(", "f32(");
}

export type Inputs = Readonly<Record<string, Tensor>>;

/** Run a body for every number of `shape` (two or three axes); `constants` are its c0, c1, ... */
export function run(shape: readonly number[], inputs: Inputs, body: string, constants: readonly number[] = []): Tensor {
  const coordinates = shape.length === 2 ? "ivec2" : "ivec3";
  const program = {
    key: `stack ${body}`,
    inputs: Object.keys(inputs),
    outputShape: shape,
    glsl: `${coordinates} at = getOutputCoords(); float value = 0.0; ${glslOf(body)} setOutput(value);`,
    wgsl: `let at = getCoordsFromIndex(index); var value = 0.0; ${wgslOf(body)} setOutputAtIndex(index, value);`,
  };
  return asTensor(runProgram(getBackend(), engine().backend, program, Object.values(inputs), constants));
}

export function onWebgl(): boolean {
  return getBackend() === "webgl";
}

interface Packed {
  readonly shape: readonly number[];
  readonly inputs: Inputs;
  readonly userCode: string;
  readonly packedInputs: boolean;
  readonly packedOutput: boolean;
  /** Numbers that the code reads as c[0], c[1], ... */
  readonly constants?: readonly number[];
}

/** WebGL only: matrices lie there as its products leave and read them, 2x2 numbers in a texel. */
function runOnWebgl({ shape, inputs, userCode, packedInputs, packedOutput, constants = [] }: Packed): Tensor {
  const program = {
    variableNames: Object.keys(inputs),
    outputShape: shape,
    packedInputs,
    packedOutput,
    customUniforms: constants.length === 0 ? [] : [{ name: "c", arrayIndex: constants.length, type: "float" }],
    userCode,
  };
  const backend = engine().backend as unknown as WebglBackend;
  return asTensor(backend.runWebGLProgram(program, Object.values(inputs), "float32", constants.length === 0 ? [] : [constants]));
}

/** For each number: `formula` finds y from x, or, given gradients, d from y. */
export function eachNumber(formula: string, x: Tensor, gradient: Tensor | null): Tensor {
  const [from, to] = gradient === null ? ["x", "y"] : ["y", "d"];
  if (onWebgl()) {
    const apply = `float apply(float ${from}) { float ${to} = 0.0; ${formula} return ${to}; }`;
    const dy = gradient === null ? "" : "getDAtOutCoords() *";
    return runOnWebgl({
      shape: x.shape,
      inputs: gradient === null ? { X: x } : { X: x, D: gradient },
      packedInputs: true,
      packedOutput: true,
      userCode: `${apply} void main() { vec4 x = getXAtOutCoords();
        setOutput(${dy} vec4(apply(x.x), apply(x.y), apply(x.z), apply(x.w))); }`,
    });
  }
  const read = "getX(at.x, at.y, at.z)";
  return gradient === null
    ? run(x.shape, { X: x }, `FLOAT x = ${read}; FLOAT y = 0.0; ${formula} value = y;`)
    : run(x.shape, { X: x, D: gradient }, `FLOAT y = ${read}; FLOAT d = 0.0; ${formula} value = d * getD(at.x, at.y, at.z);`);
}

/** Take matrices [units, rows, columns] out of a state [*, units * each], from a place in each unit. */
export function matrices(state: Tensor, shape: readonly [number, number, number], each: number, from: number): Tensor {
  const [, rows, columns] = shape;
  const place = (r: string, c: string): string => `getS(0, at.x * ${each} + ${from} + ${r} * ${columns} + ${c})`;
  if (!onWebgl()) return run(shape, { S: state }, `value = ${place("at.y", "at.z")};`);
  const number = (r: number, c: number): string => place(`(at.y + ${r})`, `(at.z + ${c})`);
  return runOnWebgl({
    shape,
    inputs: { S: state },
    packedInputs: false,
    packedOutput: true,
    userCode: `void main() {
      ivec3 at = getOutputCoords();
      vec4 found = vec4(${number(0, 0)}, 0.0, 0.0, 0.0);
      bool below = at.y + 1 < ${rows};
      bool beside = at.z + 1 < ${columns};
      if (beside) { found.y = ${number(0, 1)}; }
      if (below) { found.z = ${number(1, 0)}; }
      if (below && beside) { found.w = ${number(1, 1)}; }
      setOutput(found);
    }`,
  });
}

export interface Piece {
  /** [units, rows, columns] */
  readonly gradient: Tensor;
  readonly from: number;
  readonly size: number;
}

/** Put gradients side by side as a state has its weights: [1, units * each]. */
export function sideBySide(pieces: readonly Piece[], units: number, each: number): Tensor {
  const inputs = Object.fromEntries(pieces.map(({ gradient }, index) => [`G${index}`, gradient]));
  const body = (pick: (name: string, row: string, column: string) => string): string =>
    `INT unit = at.y / ${each}; INT i = at.y - unit * ${each};
    ${pieces
      .map(({ from, size, gradient }, index) => {
        const columns = gradient.shape[2] ?? 1;
        const [row, column] = [`((i - ${from}) / ${columns})`, `((i - ${from}) % ${columns})`];
        return `if (i >= ${from} && i < ${from + size}) { value = ${pick(`G${index}`, row, column)}; }`;
      })
      .join("\n")}`;
  if (!onWebgl()) return run([1, units * each], inputs, body((name, row, column) => `get${name}(unit, ${row}, ${column})`));
  const pick = (name: string, row: string, column: string): string =>
    `getChannel(get${name}(unit, ${row}, ${column}), vec2(${row}, ${column}))`;
  return runOnWebgl({
    shape: [1, units * each],
    inputs,
    packedInputs: true,
    packedOutput: false,
    userCode: `void main() { ivec2 at = getOutputCoords(); float value = 0.0; ${glslOf(body(pick))} setOutput(value); }`,
  });
}

/** Run a body whose constants c0, c1, ... are each unit's own: `perUnit` has them unit by unit. */
export function runWithOwn(shape: readonly number[], inputs: Inputs, body: string, perUnit: readonly (readonly number[])[], own: () => Tensor): Tensor {
  const count = perUnit[0]?.length ?? 0;
  const declared = (read: (index: number) => string): string =>
    Array.from({ length: count }, (_, index) => `FLOAT c${index} = ${read(index)};`).join(" ");
  if (!onWebgl()) return run(shape, { ...inputs, C: own() }, body.replace("OWN", declared((index) => `getC(unit, ${index})`)));
  return runOnWebgl({
    shape,
    inputs,
    packedInputs: false,
    packedOutput: false,
    constants: perUnit.flat(),
    userCode: `void main() { ivec2 at = getOutputCoords(); float value = 0.0;
      ${glslOf(body.replace("OWN", declared((index) => `c[unit * ${count} + ${index}]`)))} setOutput(value); }`,
  });
}
