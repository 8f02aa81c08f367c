import { expect, test } from "vitest";
import { Cadence } from "./cadence";

test("cheap snapshots are taken every second", () => {
  const cadence = new Cadence(0);
  expect(cadence.due(999)).toBe(false);
  expect(cadence.due(1_000)).toBe(true);
  cadence.taken(1_000, 1_010);
  expect(cadence.due(2_009)).toBe(false);
  expect(cadence.due(2_010)).toBe(true);
});

test("dear snapshots cost at most a twentieth of the time", () => {
  const cadence = new Cadence(0);
  cadence.taken(1_000, 1_500);
  expect(cadence.due(11_499)).toBe(false);
  expect(cadence.due(11_500)).toBe(true);
});

test("however dear, one is taken every 20 seconds", () => {
  const cadence = new Cadence(0);
  cadence.taken(0, 9_000);
  expect(cadence.due(28_999)).toBe(false);
  expect(cadence.due(29_000)).toBe(true);
});
