/** A stack's memory on CPU and WASM, with the loops that take most of the time: in JavaScript, or in SIMD. */

import { moduleOf } from "./assembler";
import { type Nest, nestFunction, nestParameters, type Nests, OPERATIONS, plainNests } from "./nests";
import { multiplyPlainly, type Product, productFunction } from "./products";

/** Place 0 is never used: it stands for nothing. */
export interface Memory extends Nests {
  readonly floats: Float32Array;
  readonly multiply: (product: Product) => void;
}

let compiled: WebAssembly.Module | null = null;

/** Open memory of so many floats with loops in SIMD; raises where the device has none. */
export function simdMemory(size: number): Memory {
  compiled ??= new WebAssembly.Module(moduleOf([productFunction(), ...OPERATIONS.map(nestFunction)]));
  const memory = new WebAssembly.Memory({ initial: Math.ceil((4 * size) / 65_536) });
  const exported = new WebAssembly.Instance(compiled, { env: { memory } }).exports as Readonly<Record<string, (...values: number[]) => void>>;
  const call = (name: string): ((...values: number[]) => void) => {
    const found = exported[name];
    if (found === undefined) throw new Error(`there is no ${name}`);
    return found;
  };
  const nests = OPERATIONS.map((name) => {
    const run = call(name);
    return [name, (nest: Nest) => run(...nestParameters(nest))] as const;
  });
  const multiply = call("multiply");
  return {
    ...(Object.fromEntries(nests) as unknown as Nests),
    floats: new Float32Array(memory.buffer),
    multiply({ a, aRow, aColumn, b, bRow, c, rows, columns, inner, bias, rectified }) {
      multiply(4 * a, 4 * aRow, 4 * aColumn, 4 * b, 4 * bRow, 4 * c, rows, columns, inner, 4 * bias, rectified ? 1 : 0);
    },
  };
}

/** Open memory of so many floats with loops in JavaScript. */
export function plainMemory(size: number): Memory {
  const floats = new Float32Array(size);
  return { ...plainNests(floats), floats, multiply: (product) => multiplyPlainly(floats, product) };
}
