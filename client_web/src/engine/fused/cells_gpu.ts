/**
 * One step of a recurrent layer as programs of the GPU. What is asked for is computed from what the gates were
 * given, so that nothing but states and products is kept. `state` is [1 or 2, rows, units]: the output, then
 * LSTM's carry.
 */

import type { Program } from "../programs";
import type { CellName } from "./cells_host";

export interface GpuCell {
  readonly gates: number;
  /** Rows of the state. */
  readonly states: number;
  /** Whether the gradient by what the last output gave is another one than by what the input gave. */
  readonly apart: boolean;
  /** Declare the gates at (row, u), from getP (input), getI (last output) and getS (state before). */
  readonly gatesOf: (float: string, units: number) => string;
  /** Rows of the next state. */
  readonly next: readonly string[];
  /** From dh and dc (by the next state): gradients by each gate, as the input gave to it. */
  readonly slopes: readonly string[];
  /** The same, as the last output gave to it. */
  readonly innerSlopes: readonly string[];
  /** By the state before, but for what goes through the product. */
  readonly direct: readonly string[];
}

const sigmoid = (x: string): string => `1.0 / (1.0 + exp(-(${x})))`;
const tanh = (x: string): string => `1.0 - 2.0 / (exp(2.0 * (${x})) + 1.0)`;
const given = (units: number, gate: number): string => `getP(at_row, u + ${gate * units})`;
const inner = (units: number, gate: number): string => `getI(row, u + ${gate * units})`;
const both = (units: number, gate: number): string => `${given(units, gate)} + ${inner(units, gate)}`;

const CARRY = "(dc + dh * o * (1.0 - top * top))";

export const GPU_CELLS: Readonly<Record<CellName, GpuCell>> = {
  simple: {
    gates: 1,
    states: 1,
    apart: false,
    // WebGPU refuses inputs that no program names: the state is read, though nothing comes of it.
    gatesOf: (float, units) => `${float} h = ${tanh(both(units, 0))}; ${float} old = getS(0, row, u);`,
    next: ["h"],
    slopes: ["dh * (1.0 - h * h)"],
    innerSlopes: [],
    direct: ["0.0"],
  },
  lstm: {
    gates: 4,
    states: 2,
    apart: false,
    gatesOf: (float, units) => `${float} i = ${sigmoid(both(units, 0))}; ${float} f = ${sigmoid(both(units, 1))};
      ${float} g = ${tanh(both(units, 2))}; ${float} o = ${sigmoid(both(units, 3))};
      ${float} old = getS(1, row, u); ${float} c = f * old + i * g; ${float} top = ${tanh("c")};`,
    next: ["o * top", "c"],
    slopes: [
      `${CARRY} * g * i * (1.0 - i)`,
      `${CARRY} * old * f * (1.0 - f)`,
      `${CARRY} * i * (1.0 - g * g)`,
      "dh * top * o * (1.0 - o)",
    ],
    innerSlopes: [],
    direct: ["0.0", `${CARRY} * f`],
  },
  gru: {
    gates: 3,
    states: 1,
    apart: true,
    gatesOf: (float, units) => `${float} z = ${sigmoid(both(units, 0))}; ${float} r = ${sigmoid(both(units, 1))};
      ${float} held = ${inner(units, 2)}; ${float} fresh = ${tanh(`${given(units, 2)} + r * held`)};
      ${float} old = getS(0, row, u); ${float} dfresh = (1.0 - z) * (1.0 - fresh * fresh);`,
    next: ["z * old + (1.0 - z) * fresh"],
    slopes: ["dh * (old - fresh) * z * (1.0 - z)", "dh * dfresh * held * r * (1.0 - r)", "dh * dfresh"],
    innerSlopes: ["dh * (old - fresh) * z * (1.0 - z)", "dh * dfresh * held * r * (1.0 - r)", "dh * dfresh * r"],
    direct: ["dh * z"],
  },
};

interface Sizes {
  readonly rows: number;
  readonly units: number;
}

/** Choose a text by a number at hand: GLSL and WGSL alike. */
function choose(name: string, texts: readonly string[], index: string): string {
  const rest = texts.slice(1).map((text, i) => `if (${index} == ${i + 1}) { ${name} = ${text}; }`);
  return `${name} = ${texts[0] ?? "0.0"}; ${rest.join(" ")}`;
}

type Write = (float: string, int: string, asInt: (x: string) => string) => string;

function program(key: string, inputs: readonly string[], outputShape: readonly number[], write: Write): Program {
  const vector = outputShape.length === 2 ? "ivec2" : "ivec3";
  return {
    key,
    inputs,
    outputShape,
    glsl: `${vector} at = getOutputCoords(); ${write("float", "int", (x) => `int(${x})`)} setOutput(value);`,
    wgsl: `let at = getCoordsFromIndex(index); ${write("var", "var", (x) => `i32(${x})`)} setOutputAtIndex(index, value);`,
  };
}

/** From the state S, the recurrent kernel R and a bias B: what the last output gives to the gates [rows, gates * units]. */
export function innerProgram({ rows, units }: Sizes, wide: number, bias: boolean): Program {
  return program(`recurrent inner ${units} ${bias}`, ["S", "R", ...(bias ? ["B"] : [])], [rows, wide], (float, int) =>
    `${float} value = ${bias ? "getB(at.y)" : "0.0"};
    for (${int} k = 0; k < ${units}; k = k + 1) { value = value + getS(0, at.x, k) * getR(k, at.y); }`);
}

/** From P, I and S: the next state. c0 is the step. */
export function stateProgram(name: CellName, { rows, units }: Sizes): Program {
  const cell = GPU_CELLS[name];
  return program(`recurrent state ${name} ${rows} ${units}`, ["P", "I", "S"], [cell.states, rows, units], (float, int, asInt) =>
    `${int} row = at.y; ${int} u = at.z; ${int} at_row = ${asInt("c0")} * ${rows} + row;
    ${cell.gatesOf(float, units)} ${float} value = 0.0; ${choose("value", cell.next, "at.x")}`);
}

/** From P, I, S and the gradient D by the next state: gradients by the gates [1 or 2, rows, gates * units]. */
export function slopesProgram(name: CellName, { rows, units }: Sizes): Program {
  const cell = GPU_CELLS[name];
  const wide = cell.gates * units;
  const shape = [cell.apart ? 2 : 1, rows, wide];
  return program(`recurrent slopes ${name} ${rows} ${units}`, ["P", "I", "S", "D"], shape, (float, int, asInt) =>
    `${int} row = at.y; ${int} gate = at.z / ${units}; ${int} u = at.z - gate * ${units};
    ${int} at_row = ${asInt("c0")} * ${rows} + row;
    ${cell.gatesOf(float, units)} ${float} dh = getD(0, row, u); ${cell.states === 2 ? `${float} dc = getD(1, row, u);` : ""}
    ${float} value = 0.0; ${choose("value", cell.slopes, "gate")}
    ${cell.apart ? `if (at.x == 1) { ${choose("value", cell.innerSlopes, "gate")} }` : ""}`);
}

/**
 * From P, I, S, D, and what goes through the product: the gradient by the state before. That is M, [rows, units],
 * or to be multiplied from the gradients G by the gates and the recurrent kernel R. With `sequences`, Y holds
 * the gradients by all outputs, [length * rows, units].
 */
export function backProgram(name: CellName, { rows, units }: Sizes, sequences: boolean, multiplied: boolean): Program {
  const cell = GPU_CELLS[name];
  const inputs = ["P", "I", "S", "D", ...(multiplied ? ["M"] : ["G", "R"]), ...(sequences ? ["Y"] : [])];
  const key = `recurrent back ${name} ${rows} ${units} ${sequences} ${multiplied}`;
  const product = (int: string): string =>
    `for (${int} j = 0; j < ${cell.gates * units}; j = j + 1) { value = value + getG(${cell.apart ? 1 : 0}, row, j) * getR(u, j); }`;
  return program(key, inputs, [cell.states, rows, units], (float, int, asInt) =>
    `${int} row = at.y; ${int} u = at.z; ${int} at_row = ${asInt("c0")} * ${rows} + row;
    ${cell.gatesOf(float, units)} ${float} dh = getD(0, row, u); ${cell.states === 2 ? `${float} dc = getD(1, row, u);` : ""}
    ${float} value = 0.0; ${choose("value", cell.direct, "at.x")}
    if (at.x == 0) {
      ${multiplied ? "value = value + getM(row, u);" : product(int)}
      ${sequences ? `value = value + getY(at_row - ${rows}, u);` : ""}
    }`);
}

/** From Y, [length * rows, units] or [rows, units]: the gradient by the last state. */
export function lastProgram(name: CellName, { rows, units }: Sizes, from: number): Program {
  const { states } = GPU_CELLS[name];
  return program(`recurrent last ${from}`, ["Y"], [states, rows, units], (float) =>
    `${float} value = 0.0; if (at.x == 0) { value = getY(${from} + at.y, at.z); }`);
}

/** From X [steps, parts, rows * columns]: one of the parts of all steps, [steps * rows, columns]. */
export function partProgram(steps: number, rows: number, columns: number, part: number): Program {
  return program(`recurrent part ${rows} ${columns} ${part}`, ["X"], [steps * rows, columns], (float, int) =>
    `${int} step = at.x / ${rows}; ${float} value = getX(step, ${part}, (at.x - step * ${rows}) * ${columns} + at.y);`);
}

/** The same matrix, with a bias added: laid out one number a texel on WebGL. */
export function copyProgram(shape: readonly number[], bias: boolean): Program {
  return program(`recurrent copy ${bias}`, bias ? ["X", "B"] : ["X"], shape, (float) =>
    `${float} value = getX(at.x, at.y)${bias ? " + getB(at.y)" : ""};`);
}
