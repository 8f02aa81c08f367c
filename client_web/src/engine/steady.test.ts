import { expect, test } from "vitest";
import { steady } from "./steady";

const HOUR = 3_600_000;

test("time passes as the clock says while the clock behaves", () => {
  let raw = 500;
  const now = steady(() => raw, 60_000);
  for (const step of [0, 1, 59_999, 60_000, 0.25]) {
    const before = now();
    raw += step;
    expect(now() - before).toBeCloseTo(step, 6);
  }
});

test("a clock that is set back neither takes time away nor stops", () => {
  let raw = 10 * HOUR;
  const now = steady(() => raw);
  const before = now();
  raw -= 3 * HOUR;
  expect(now()).toBe(before);
  raw += 1_000;
  expect(now() - before).toBe(1_000);
});

test("a night of sleep counts as no more than the longest step", () => {
  let raw = 0;
  const now = steady(() => raw, 60_000);
  const before = now();
  raw += 9 * HOUR;
  expect(now() - before).toBe(60_000);
});
