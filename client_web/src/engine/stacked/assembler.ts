/** Just enough of WebAssembly's binary format to write loops over float32x4. */

/** Bytes, nested as they were put together. */
export type Code = number | readonly Code[];

function flat(code: Code): number[] {
  return typeof code === "number" ? [code] : code.flatMap(flat);
}

/** A whole number as LEB128, which is how WebAssembly writes them. */
function number(value: number): number[] {
  const bytes: number[] = [];
  for (let left = value; ; ) {
    const byte = left & 0x7f;
    left >>= 7;
    const last = left === 0 && (byte & 0x40) === 0;
    bytes.push(last ? byte : byte | 0x80);
    if (last) return bytes;
  }
}

function count(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...count(value >> 7)];
}

function vector(items: readonly Code[]): Code {
  return [count(items.length), items];
}

function section(id: number, content: Code): Code {
  const bytes = flat(content);
  return [id, count(bytes.length), bytes];
}

function text(value: string): Code {
  return vector([...new TextEncoder().encode(value)]);
}

export const I32 = 0x7f;
export const F32 = 0x7d;
export const V128 = 0x7b;
export type Type = typeof I32 | typeof F32 | typeof V128;

const EMPTY_BLOCK = 0x40;

export const get = (local: number): Code => [0x20, count(local)];
export const set = (local: number, value: Code): Code => [value, 0x21, count(local)];
export const i32 = (value: number): Code => [0x41, number(value)];
export const plus = (left: Code, right: Code): Code => [left, right, 0x6a];
export const times = (left: Code, right: Code): Code => [left, right, 0x6c];
export const minus = (left: Code, right: Code): Code => [left, right, 0x6b];
export const less = (left: Code, right: Code): Code => [left, right, 0x48];

/** Repeat `body` while `left` is at least `least`. */
export function whileAtLeast(left: number, least: number, body: Code): Code {
  const leave = [less(get(left), i32(least)), 0x0d, 1];
  return [0x02, EMPTY_BLOCK, 0x03, EMPTY_BLOCK, leave, body, 0x0c, 0, 0x0b, 0x0b];
}

/** Choose by a number that is 0 or not. */
export function either(condition: Code, yes: Code, no: Code): Code {
  return [condition, 0x04, EMPTY_BLOCK, yes, 0x05, no, 0x0b];
}

/** Repeat `body` as often as `left` says; it counts down to 0. */
export function repeat(left: number, body: Code): Code {
  return whileAtLeast(left, 1, [body, set(left, minus(get(left), i32(1)))]);
}

/** What a block of numbers is made of: four at once, or one. */
export interface Lane {
  readonly type: Type;
  readonly floats: number;
  readonly zero: Code;
  /** Load; `align` of WebAssembly is a hint only, and 4 bytes are always right here. */
  readonly load: (address: Code, offset: number) => Code;
  readonly loadForAll: (address: Code) => Code;
  readonly store: (address: Code, value: Code) => Code;
  readonly add: (left: Code, right: Code) => Code;
  readonly mul: (left: Code, right: Code) => Code;
  readonly larger: (left: Code, right: Code) => Code;
}

const BY_4_BYTES = 2;
const simd = (operation: number): Code => [0xfd, count(operation)];
const both = (operation: number) => (left: Code, right: Code): Code => [left, right, simd(operation)];

/** Of four floats each; a comparison gives a mask, and `without` what a mask leaves. */
export const equal = both(0x41);
export const atMost = both(0x45);
export const masked = both(0x4e);
export const without = both(0x4f);
export const larger = both(0xe9);

/** The first of four floats alone. */
export const loadFirst = (address: Code): Code => [address, simd(0x5c), BY_4_BYTES, 0];
export const storeFirst = (address: Code, value: Code): Code => [address, value, simd(0x5a), BY_4_BYTES, 0, 0];

export const FOUR: Lane = {
  type: V128,
  floats: 4,
  zero: [simd(0x0c), Array.from({ length: 16 }, () => 0)],
  load: (address, offset) => [address, simd(0x00), BY_4_BYTES, count(offset)],
  loadForAll: (address) => [address, simd(0x09), BY_4_BYTES, 0],
  store: (address, value) => [address, value, simd(0x0b), BY_4_BYTES, 0],
  add: (left, right) => [left, right, simd(0xe4)],
  mul: (left, right) => [left, right, simd(0xe6)],
  larger,
};

export const ONE: Lane = {
  type: F32,
  floats: 1,
  zero: [0x43, 0, 0, 0, 0],
  load: (address, offset) => [address, 0x2a, BY_4_BYTES, count(offset)],
  loadForAll: (address) => [address, 0x2a, BY_4_BYTES, 0],
  store: (address, value) => [address, value, 0x38, BY_4_BYTES, 0],
  add: (left, right) => [left, right, 0x92],
  mul: (left, right) => [left, right, 0x94],
  larger: (left, right) => [left, right, 0x97],
};

export interface Function {
  readonly name: string;
  readonly parameters: number;
  readonly locals: readonly Type[];
  readonly body: Code;
}

/** Write a module of exported functions of whole numbers, on an imported memory. */
export function moduleOf(functions: readonly Function[]): Uint8Array<ArrayBuffer> {
  const type = ({ parameters }: Function): Code => [0x60, vector(Array.from({ length: parameters }, () => I32)), vector([])];
  const code = ({ locals, body }: Function): Code => {
    const bytes = flat([vector(locals.map((one) => [1, one])), body, 0x0b]);
    return [count(bytes.length), bytes];
  };
  const parts: Code = [
    [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    section(1, vector(functions.map(type))),
    section(2, vector([[text("env"), text("memory"), 0x02, 0x00, 1]])),
    section(3, vector(functions.map((_, index) => index))),
    section(7, vector(functions.map(({ name }, index) => [text(name), 0x00, index]))),
    section(10, vector(functions.map(code))),
  ];
  return Uint8Array.from(flat(parts));
}
