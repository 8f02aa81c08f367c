/**
 * Products of matrices in one memory, for CPU and WASM. TF.js's WASM multiplies one pair at a time, and packs
 * the second matrix anew for each; a stack has many small ones. So here is one function of SIMD, written
 * with the assembler beside it: four rows by eight columns are held in registers.
 */

import { type Code, either, F32, FOUR, type Function, get, I32, i32, type Lane, minus, ONE, plus, set, times, type Type, V128, whileAtLeast } from "./assembler";

/** c[rows, columns] = a[rows, inner] b[inner, columns] + bias. All places and strides count floats. */
export interface Product {
  readonly a: number;
  readonly aRow: number;
  readonly aColumn: number;
  readonly b: number;
  readonly bRow: number;
  readonly c: number;
  readonly rows: number;
  readonly columns: number;
  readonly inner: number;
  /** [columns], or 0 for none. */
  readonly bias: number;
  /** Put 0 in the place of what is below. */
  readonly rectified: boolean;
}

const PARAMETERS = { a: 0, aRow: 1, aColumn: 2, b: 3, bRow: 4, c: 5, rows: 6, columns: 7, inner: 8, bias: 9, rectified: 10 };
const COUNT = Object.keys(PARAMETERS).length;
const ROWS = 4;
const VECTORS = 2;

/** Products in SIMD; places and strides count bytes here. */
export function productFunction(): Function {
  const { a, aRow, aColumn, b, bRow, c, rows, columns, inner, bias, rectified } = PARAMETERS;
  const types: Type[] = [];
  const local = (type: Type): number => COUNT + types.push(type) - 1;
  const [columnsLeft, rowsLeft, left, rowA, rowC, pa, pb, cRow, pc] = Array.from({ length: 9 }, () => local(I32)) as [
    number, number, number, number, number, number, number, number, number,
  ];
  const farther = Array.from({ length: ROWS }, () => local(I32));
  const sums = (type: typeof F32 | typeof V128, each: number): number[][] =>
    Array.from({ length: ROWS }, () => Array.from({ length: each }, () => local(type)));
  const vectors = { sums: sums(V128, VECTORS), second: [local(V128), local(V128)] };
  const singles = { sums: sums(F32, 1), second: [local(F32)] };

  /** One block of `height` rows by `wide` lanes. */
  const block = (lane: Lane, height: number, wide: number): Code => {
    const { sums: all, second } = lane === FOUR ? vectors : singles;
    const kept = all.slice(0, height).map((row) => row.slice(0, wide));
    const own = second.slice(0, wide);
    const bytes = 4 * lane.floats;
    return [
      either(
        get(bias),
        kept.map((row) => row.map((sum, v) => set(sum, lane.load(get(bias), bytes * v)))),
        kept.map((row) => row.map((sum) => set(sum, lane.zero))),
      ),
      set(pa, get(rowA)),
      set(pb, get(b)),
      set(left, get(inner)),
      whileAtLeast(left, 1, [
        own.map((one, v) => set(one, lane.load(get(pb), bytes * v))),
        kept.map((row, r) => {
          const address = r === 0 ? get(pa) : plus(get(pa), get(farther[r] ?? 0));
          // A value of `a` is loaded once for each lane: the processor has it at hand.
          return row.map((sum, v) => set(sum, lane.add(get(sum), lane.mul(lane.loadForAll(address), get(own[v] ?? 0)))));
        }),
        set(pa, plus(get(pa), get(aColumn))),
        set(pb, plus(get(pb), get(bRow))),
        set(left, minus(get(left), i32(1))),
      ]),
      either(get(rectified), kept.map((row) => row.map((sum) => set(sum, lane.larger(get(sum), lane.zero)))), []),
      set(pc, get(rowC)),
      kept.map((row) => [
        row.map((sum, v) => lane.store(plus(get(pc), i32(bytes * v)), get(sum))),
        set(pc, plus(get(pc), get(cRow))),
      ]),
    ];
  };

  /** All columns that are left, so many lanes at a time. */
  const pass = (lane: Lane, wide: number): Code => {
    const bytes = 4 * lane.floats * wide;
    const down = (height: number): Code =>
      whileAtLeast(rowsLeft, height, [
        block(lane, height, wide),
        set(rowC, get(pc)),
        set(rowA, plus(get(rowA), times(get(aRow), i32(height)))),
        set(rowsLeft, minus(get(rowsLeft), i32(height))),
      ]);
    return whileAtLeast(columnsLeft, lane.floats * wide, [
      set(rowsLeft, get(rows)),
      set(rowA, get(a)),
      set(rowC, get(c)),
      down(ROWS),
      down(1),
      set(b, plus(get(b), i32(bytes))),
      set(c, plus(get(c), i32(bytes))),
      either(get(bias), set(bias, plus(get(bias), i32(bytes))), []),
      set(columnsLeft, minus(get(columnsLeft), i32(lane.floats * wide))),
    ]);
  };

  const body: Code = [
    set(cRow, times(get(columns), i32(4))),
    set(columnsLeft, get(columns)),
    farther.map((one, r) => set(one, times(get(aRow), i32(r)))),
    pass(FOUR, VECTORS),
    pass(FOUR, 1),
    pass(ONE, 1),
  ];
  return { name: "multiply", parameters: COUNT, locals: types, body };
}

/** The same in JavaScript. */
export function multiplyPlainly(floats: Float32Array, product: Product): void {
  const { a, aRow, aColumn, b, bRow, c, rows, columns, inner, bias, rectified } = product;
  for (let i = 0; i < rows; i++) {
    const to = c + i * columns;
    if (bias === 0) floats.fill(0, to, to + columns);
    else floats.copyWithin(to, bias, bias + columns);
    for (let k = 0; k < inner; k++) {
      const factor = floats[a + i * aRow + k * aColumn] as number;
      const from = b + k * bRow;
      for (let j = 0; j < columns; j++) {
        floats[to + j] = (floats[to + j] as number) + factor * (floats[from + j] as number);
      }
    }
    if (!rectified) continue;
    for (let j = to; j < to + columns; j++) floats[j] = Math.max(floats[j] as number, 0);
  }
}
