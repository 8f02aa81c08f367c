import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { dropoutFactors, epochOrder, stream, threefryInto } from "./randomness";

interface Vectors {
  threefry2x32: { key: [number, number]; counter: [number, number]; out: [number, number] }[];
  stream: Record<string, number>;
  epoch_order: { seed: number; epoch: number; rows: number; order: number[] }[];
  dropout_keep: {
    seed: number;
    layer: string;
    step: number;
    rate: number;
    size: number;
    keep: number[];
  }[];
}

const vectors = JSON.parse(
  readFileSync(new URL("../../../tests/vectors/randomness.json", import.meta.url), "utf8"),
) as Vectors;

test("the generator gives the published known answers", () => {
  for (const { key, counter, out } of vectors.threefry2x32) {
    const words = new Uint32Array(2);
    threefryInto(words, 0, key[0], key[1], counter[0], counter[1]);
    expect([...words]).toEqual(out);
  }
});

test("streams are named as in Python", () => {
  for (const [purpose, number] of Object.entries(vectors.stream)) {
    expect(stream(purpose)).toBe(number);
  }
});

test("an epoch visits its rows in the order that Python gives", () => {
  for (const { seed, epoch, rows, order } of vectors.epoch_order) {
    expect([...epochOrder(seed, epoch, rows)]).toEqual(order);
  }
});

test("dropout keeps the elements that Python keeps, and scales them", () => {
  for (const { seed, layer, step, rate, size, keep } of vectors.dropout_keep) {
    const factors = dropoutFactors(seed, layer, step, rate, size);
    const expected = keep.map((kept) => (kept ? Math.fround(1 / (1 - rate)) : 0));
    expect([...factors]).toEqual(expected);
  }
});

test("every order is a permutation, also of more rows than fit the fast way", () => {
  for (const rows of [1, 2, 1000, 2 ** 21 + 3]) {
    const order = epochOrder(3, 2, rows);
    const seen = new Uint8Array(rows);
    for (const row of order) seen[row] = 1;
    expect(order.length).toBe(rows);
    expect(seen.every((times) => times === 1)).toBe(true);
  }
});
