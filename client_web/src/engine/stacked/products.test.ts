import { describe, expect, test } from "vitest";
import { type Memory, plainMemory, simdMemory } from "./memory";

const [A, B, C, BIAS] = [16, 2_116, 4_216, 6_316];

function filled(open: (size: number) => Memory): Memory {
  const memory = open(8_192);
  for (let i = 1; i < 8_192; i++) memory.floats[i] = Math.sin(i) * 2;
  return memory;
}

/** What should stand in c, in double precision. */
function expected({ floats }: Memory, m: number, n: number, k: number, turned: boolean, bias: boolean): number[] {
  const found: number[] = [];
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let sum = bias ? (floats[BIAS + j] ?? 0) : 0;
      for (let l = 0; l < k; l++) sum += (floats[A + (turned ? l * m + i : i * k + l)] ?? 0) * (floats[B + l * n + j] ?? 0);
      found.push(sum);
    }
  }
  return found;
}

describe.each([
  ["in SIMD", simdMemory],
  ["in JavaScript", plainMemory],
] as const)("%s", (_, open) => {
  const sizes = [[1, 1, 1], [4, 8, 3], [5, 10, 7], [32, 32, 64], [3, 13, 1], [9, 4, 20], [7, 31, 33]] as const;
  test.each(sizes)("a product of %d rows, %d columns, %d between is right, turned and with bias", (m, n, k) => {
    for (const turned of [false, true]) {
      for (const bias of [false, true]) {
        const memory = filled(open);
        const wanted = expected(memory, m, n, k, turned, bias);
        const [aRow, aColumn] = turned ? [1, m] : [k, 1];
        const after = memory.floats[C + m * n];
        memory.multiply({ a: A, aRow, aColumn, b: B, bRow: n, c: C, rows: m, columns: n, inner: k, bias: bias ? BIAS : 0, rectified: false });
        wanted.forEach((value, i) => expect(Math.abs(value - (memory.floats[C + i] ?? NaN))).toBeLessThan(1e-4));
        expect(memory.floats[C + m * n]).toBe(after);
        expect(wanted.some((value) => Math.abs(value) > 1e-2)).toBe(true);
      }
    }
  });
});
