/**
 * Loops over two boxes of numbers at once, [pictures, rows, columns, channels] with strides of their own: with
 * them windows are laid out, put back and pooled, one place in the window at a time.
 */

import {
  atMost, type Code, equal, FOUR, type Function, get, I32, i32, larger, loadFirst, masked, minus, plus, repeat, set, storeFirst, type Type, V128, whileAtLeast, without,
} from "./assembler";

/** Places and strides count floats. */
export interface Nest {
  readonly to: number;
  readonly from: number;
  readonly toStrides: readonly [picture: number, row: number, column: number];
  readonly fromStrides: readonly [picture: number, row: number, column: number];
  readonly counts: readonly [pictures: number, rows: number, columns: number];
  readonly channels: number;
  /** For `unpool`: from a place of `to` to its gradient's, and the same of `from`. */
  readonly toGradient?: number;
  readonly fromGradient?: number;
}

export interface Nests {
  /** to = from */
  readonly copy: (nest: Nest) => void;
  /** to += from */
  readonly add: (nest: Nest) => void;
  /** to = max(to, from); NaN is larger than all */
  readonly most: (nest: Nest) => void;
  /** Where from = to: hand the gradient of `to` over to that of `from`, once. */
  readonly unpool: (nest: Nest) => void;
  /** from = 0 where to is at most 0 */
  readonly rectify: (nest: Nest) => void;
}

export const OPERATIONS = ["copy", "add", "most", "unpool", "rectify"] as const satisfies readonly (keyof Nests)[];

interface Access {
  readonly load: (address: Code) => Code;
  readonly store: (address: Code, value: Code) => Code;
}

type Operation = (access: Access, at: { to: Code; from: Code; toGradient: Code; fromGradient: Code; mask: number }) => Code;

const CODE: Readonly<Record<keyof Nests, Operation>> = {
  copy: ({ load, store }, { to, from }) => store(to, load(from)),
  add: ({ load, store }, { to, from }) => store(to, FOUR.add(load(to), load(from))),
  most: ({ load, store }, { to, from }) => store(to, larger(load(to), load(from))),
  unpool: ({ load, store }, { to, from, toGradient, fromGradient, mask }) => [
    set(mask, equal(load(from), load(to))),
    store(fromGradient, FOUR.add(load(fromGradient), masked(load(toGradient), get(mask)))),
    store(toGradient, without(load(toGradient), get(mask))),
  ],
  rectify: ({ load, store }, { to, from }) => store(from, without(load(from), atMost(load(to), FOUR.zero))),
};

const P = {
  to: 0, from: 1, toPicture: 2, toRow: 3, toColumn: 4, fromPicture: 5, fromRow: 6, fromColumn: 7,
  pictures: 8, rows: 9, columns: 10, channels: 11, toGradient: 12, fromGradient: 13,
} as const;
const COUNT = Object.keys(P).length;

/** A nest of loops in SIMD; places and strides count bytes here. */
export function nestFunction(name: keyof Nests): Function {
  const locals: Type[] = [];
  const local = (type: Type): number => COUNT + locals.push(type) - 1;
  const [rowTo, rowFrom, columnTo, columnFrom, to, from, rows, columns, channels] = Array.from({ length: 9 }, () => local(I32)) as [
    number, number, number, number, number, number, number, number, number,
  ];
  const mask = local(V128);
  const wide: Access = { load: (address) => FOUR.load(address, 0), store: FOUR.store };
  const single: Access = { load: loadFirst, store: storeFirst };
  const at = {
    to: get(to), from: get(from), mask,
    toGradient: plus(get(to), get(P.toGradient)), fromGradient: plus(get(from), get(P.fromGradient)),
  };
  const go = (place: number, stride: Code): Code => set(place, plus(get(place), stride));
  const along = (access: Access, floats: number): Code =>
    whileAtLeast(channels, floats, [
      CODE[name](access, at),
      go(to, i32(4 * floats)),
      go(from, i32(4 * floats)),
      set(channels, minus(get(channels), i32(floats))),
    ]);
  const body = repeat(P.pictures, [
    set(rowTo, get(P.to)), set(rowFrom, get(P.from)), set(rows, get(P.rows)),
    repeat(rows, [
      set(columnTo, get(rowTo)), set(columnFrom, get(rowFrom)), set(columns, get(P.columns)),
      repeat(columns, [
        set(to, get(columnTo)), set(from, get(columnFrom)), set(channels, get(P.channels)),
        along(wide, 4),
        along(single, 1),
        go(columnTo, get(P.toColumn)), go(columnFrom, get(P.fromColumn)),
      ]),
      go(rowTo, get(P.toRow)), go(rowFrom, get(P.fromRow)),
    ]),
    go(P.to, get(P.toPicture)), go(P.from, get(P.fromPicture)),
  ]);
  return { name, parameters: COUNT, locals, body };
}

/** Give a nest as the parameters of its function. */
export function nestParameters({ to, from, toStrides, fromStrides, counts, channels, toGradient = 0, fromGradient = 0 }: Nest): number[] {
  const bytes = [to, from, ...toStrides, ...fromStrides].map((floats) => 4 * floats);
  return [...bytes, ...counts, channels, 4 * toGradient, 4 * fromGradient];
}

type Visit = (to: number, from: number) => void;

function visit({ to, from, toStrides, fromStrides, counts, channels }: Nest, each: Visit): void {
  const [pictures, rows, columns] = counts;
  for (let n = 0; n < pictures; n++) {
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const a = to + n * toStrides[0] + row * toStrides[1] + column * toStrides[2];
        const b = from + n * fromStrides[0] + row * fromStrides[1] + column * fromStrides[2];
        for (let channel = 0; channel < channels; channel++) each(a + channel, b + channel);
      }
    }
  }
}

/** The same in JavaScript. */
export function plainNests(floats: Float32Array): Nests {
  const get = (at: number): number => floats[at] as number;
  return {
    copy: (nest) => visit(nest, (to, from) => (floats[to] = get(from))),
    add: (nest) => visit(nest, (to, from) => (floats[to] = get(to) + get(from))),
    most: (nest) => visit(nest, (to, from) => (floats[to] = Math.max(get(to), get(from)))),
    unpool: (nest) => {
      const { toGradient = 0, fromGradient = 0 } = nest;
      visit(nest, (to, from) => {
        if (get(to) !== get(from)) return;
        floats[from + fromGradient] = get(from + fromGradient) + get(to + toGradient);
        floats[to + toGradient] = 0;
      });
    },
    rectify: (nest) => visit(nest, (to, from) => (floats[from] = get(to) <= 0 ? 0 : get(from))),
  };
}
