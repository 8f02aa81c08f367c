import { expect, test } from "vitest";
import { Estimate, shareLeft } from "./estimate";
import { hold, type Holding } from "./holding";
import type { Lease } from "../protocol/messages";

/** A lease of 100 steps that has reached one of them. */
function holding(id: string, step: number): Holding {
  const unit = { from_epoch: 2, to_epoch: 12, steps_per_epoch: 10 } as Lease["unit"];
  const held = hold({ id, token: id, expires_in_s: 120, unit });
  return { ...held, progress: { ...held.progress, step } };
}

function walk(estimate: Estimate, id: string, steps: number, paceMs: number, fromMs = 0): void {
  for (let step = 0; step <= steps; step++) estimate.reached(id, 20 + step, fromMs + step * paceMs);
}

test("nothing is known before two signs of progress", () => {
  const estimate = new Estimate();
  expect(estimate.leftMs([holding("a", 20)])).toBeNull();
  estimate.reached("a", 21, 0);
  expect(estimate.leftMs([holding("a", 21)])).toBeNull();
});

test("what is left goes by the pace so far, and a pause is no pace", () => {
  const estimate = new Estimate();
  walk(estimate, "a", 40, 500);
  expect(estimate.leftMs([holding("a", 60)])).toBe(60 * 500);
  estimate.reached("a", 61, 40 * 500 + 3_600_000);
  expect(estimate.leftMs([holding("a", 61)])).toBeLessThan(60 * 1_000);
});

test("units that train together take as long as the slowest, those in turn one after the other", () => {
  const estimate = new Estimate();
  walk(estimate, "a", 50, 100);
  walk(estimate, "b", 50, 200);
  expect(estimate.leftMs([holding("a", 70), holding("b", 70)])).toBe(50 * 200);
  expect(estimate.leftMs([holding("a", 70), holding("c", 20)])).toBe(50 * 100 + 100 * 100);
  expect(shareLeft([holding("a", 70), holding("c", 20)])).toBe(0.75);
});
