import { expect, test } from "vitest";
import { Pace } from "./pace";

/** Run a pace for a simulated minute on a machine whose timers oversleep; gives the share it kept. */
function shareKept(share: number, batchMs: (i: number) => number, oversleepMs: number): number {
  const pace = new Pace(share);
  let busy = 0;
  let clock = 0;
  for (let i = 0; clock < 60_000; i++) {
    const batches = pace.batches();
    const worked = batches * batchMs(i);
    busy += worked;
    clock += worked;
    const sleep = pace.worked(batches, worked);
    if (sleep > 0) {
      clock += sleep + oversleepMs;
      pace.slept(sleep + oversleepMs);
    }
  }
  return busy / clock;
}

test.each([0.05, 0.2, 0.5, 0.8, 1])("a share of %d is kept within 2 points", (share) => {
  for (const oversleep of [0, 1, 4]) {
    expect(shareKept(share, () => 3, oversleep)).toBeCloseTo(share, 1);
    expect(Math.abs(shareKept(share, (i) => 1 + (i % 7) * 4, oversleep) - share)).toBeLessThan(0.02);
  }
});

test("slow batches are trained one at a time, quick ones many together", () => {
  const slow = new Pace(1);
  slow.worked(1, 500);
  expect(slow.batches()).toBe(1);
  const quick = new Pace(1);
  quick.worked(1, 0.5);
  expect(quick.batches()).toBe(80);
});

test("the whole device means no sleep", () => {
  const pace = new Pace(1);
  expect(pace.worked(4, 40)).toBe(0);
});

test("a share outside 5% to 100% is brought inside", () => {
  expect([0, 0.01, 0.5, 3, Number.NaN].map(Pace.clamp)).toEqual([0.05, 0.05, 0.5, 1, 1]);
});

test("hours of sleep with the lid closed are not worked off afterwards", () => {
  const pace = new Pace(0.5);
  pace.worked(1, 40);
  pace.slept(3_600_000);
  let sleepless = 0;
  while (pace.worked(1, 40) === 0) sleepless += 40;
  expect(sleepless).toBeLessThanOrEqual(1_040);
});
