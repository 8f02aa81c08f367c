/**
 * Programs of a stack's own on GPUs. A body is written once, in what GLSL and WGSL share: variables are
 * declared as FLOAT and INT, numbers change their kind by toInt(...) and toFloat(...), and `value` is the
 * number at `at` that the body is to find.
 */

import { engine, getBackend, type Tensor, type TensorInfo } from "@tensorflow/tfjs-core";
import { runProgram } from "../programs";
import { literal } from "./activations";

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

/**
 * Take matrices [units, rows, columns] out of a state, from a place in each unit. On WebGL a state may lie as
 * quads, [2, 2 * numbers]: a weight and up to three slots of it in one texel.
 */
export function matrices(state: Tensor, quads: boolean, shape: readonly [number, number, number], each: number, from: number): Tensor {
  const [, rows, columns] = shape;
  const place = (r: string, c: string): string => `at.x * ${each} + ${from} + ${r} * ${columns} + ${c}`;
  if (!onWebgl()) return run(shape, { S: state }, `value = getS(0, ${place("at.y", "at.z")});`);
  const number = (r: number, c: number): string => {
    const index = place(`(at.y + ${r})`, `(at.z + ${c})`);
    return quads ? `getS(0, 2 * (${index})).x` : `getS(0, ${index})`;
  };
  return runOnWebgl({
    shape,
    inputs: { S: state },
    packedInputs: quads,
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

/** Below this a quotient of floats is that of the integers; dividing integers is many times slower. */
const EXACT = 1 << 21;

/** `a / b` of integers that are not negative; `most`: what `a` stays below. */
export function quotient(a: string, b: number, most: number): string {
  if (b === 1) return a;
  return most < EXACT ? `toInt(floor((toFloat(${a}) + 0.5) * ${literal(1 / b)}))` : `(${a}) / ${b}`;
}

/** Statements that find the gradient of number `i` of a unit, into `to`. */
function gradientOf(pieces: readonly Piece[], to: string, packed: boolean): string {
  return pieces
    .map(({ from, size, gradient }, index) => {
      const columns = gradient.shape[2] ?? 1;
      const read = `getG${index}(unit, row, column)`;
      const found = packed ? `getChannel(${read}, vec2(row, column))` : read;
      return `if (i < ${from + size}) {
        INT own = i - ${from}; INT row = ${quotient("own", columns, size)}; INT column = own - row * ${columns};
        ${to} = ${found};
      }`;
    })
    .join(" else ");
}

function gradients(pieces: readonly Piece[]): Inputs {
  return Object.fromEntries(pieces.map(({ gradient }, index) => [`G${index}`, gradient]));
}

/** Put gradients side by side as a state has its weights: [1, units * each]. */
export function sideBySide(pieces: readonly Piece[], units: number, each: number): Tensor {
  const body = `INT unit = ${quotient("at.y", each, units * each)}; INT i = at.y - unit * ${each}; ${gradientOf(pieces, "value", false)}`;
  return run([1, units * each], gradients(pieces), body);
}

/** Declare c0, c1, ... */
function declared(count: number, read: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => `FLOAT c${index} = ${read(index)};`).join(" ");
}

/** Run a body in whose OWN the constants c0, c1, ... of `unit` are declared: `own` is [units, constants]. */
export function runWithOwn(shape: readonly number[], inputs: Inputs, body: string, own: Tensor): Tensor {
  return run(shape, { ...inputs, C: own }, body.replace("OWN", declared(own.shape[1] ?? 0, (index) => `getC(unit, ${index})`)));
}

export interface QuadUpdate {
  /** [2, 2 * units * each] */
  readonly state: Tensor;
  readonly each: number;
  readonly pieces: readonly Piece[];
  readonly slots: number;
  /** Assigns w and the slots s0, s1, ... from them, g and c0, c1, ... */
  readonly rule: string;
  /** Each unit's constants, and after all of them what `penalty` reads as c[...]. */
  readonly perUnit: readonly (readonly number[])[];
  readonly more: readonly number[];
  /** Changes g by `i`, `unit` and w. */
  readonly penalty: string;
}

/** WebGL: make a state's next quads, each weight's number computed once. */
export function updateQuads({ state, each, pieces, slots, rule, perUnit, more, penalty }: QuadUpdate): Tensor {
  const count = perUnit[0]?.length ?? 0;
  const read = ["y", "z", "w"].map((part, index) => `float s${index} = was.${part};`).slice(0, slots);
  const made = ["w", ...Array.from({ length: 3 }, (_, index) => (index < slots ? `s${index}` : "0.0"))];
  return runOnWebgl({
    shape: state.shape,
    inputs: { S: state, ...gradients(pieces) },
    packedInputs: true,
    packedOutput: true,
    constants: [...perUnit.flat(), ...more],
    userCode: `void main() {
      ivec2 at = getOutputCoords();
      int index = at.y / 2; int unit = ${glslOf(quotient("index", each, state.size / 4))}; int i = index - unit * ${each};
      vec4 was = getS(0, at.y); float w = was.x; ${read.join(" ")}
      float g = 0.0; ${glslOf(gradientOf(pieces, "g", true))}
      ${glslOf(penalty)}
      ${glslOf(declared(count, (constant) => `c[unit * ${count} + ${constant}]`))}
      ${rule}
      setOutput(vec4(${made.join(", ")}));
    }`,
  });
}
