import { describe, expect, test } from "vitest";
import { Pace } from "./pace";

/** Numbers in [0, 1) that are the same in every run. */
function chance(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

interface Device {
  readonly random: () => number;
  /** Milliseconds of the next batch. */
  readonly batchMs: () => number;
  /** Milliseconds that a timer sleeps too long. */
  readonly oversleepMs: () => number;
  /** The clock of the page stands still or runs on while the lid is closed. */
  readonly lid?: { readonly atMs: number; readonly forMs: number };
}

/** Spans of work, on the time that the device was awake. */
interface Spans {
  readonly work: readonly (readonly [number, number])[];
  readonly endMs: number;
}

/** Keep a share as the engine does, for some simulated minutes; `keeps` may do it wrongly. */
function simulate(shares: (ms: number) => number, device: Device, minutes: number, keeps = true): Spans {
  let now = 0;
  let lidMs = 0;
  const pace = new Pace(shares(0), () => now + lidMs);
  const work: [number, number][] = [];
  pace.slices.open("wasm");
  while (now < minutes * 60_000) {
    pace.setShare(shares(now));
    const { batches } = pace.slices;
    const begun = now;
    for (let i = 0; i < batches; i++) now += device.batchMs();
    work.push([begun, now]);
    pace.slices.took(batches, now - begun);
    pace.worked(now - begun);
    // What hears messages between two slices takes its moment too.
    now += 0.05 * device.random();
    for (let rest = pace.restMs(); keeps && rest > 0; rest = pace.restMs()) {
      now += rest + device.oversleepMs();
      const { lid } = device;
      if (lid !== undefined && now >= lid.atMs) lidMs = lid.forMs;
      pace.setShare(shares(now));
    }
  }
  return { work, endMs: now };
}

/** The share of every minute that begins with a span of work, or ends with one. */
function everyMinute({ work, endMs }: Spans): { from: number; share: number }[] {
  const edges = work.flatMap(([begun, done]) => [begun, done, done - 60_000, begun - 60_000]);
  const until: number[] = [0];
  for (const [begun, done] of work) until.push((until.at(-1) ?? 0) + done - begun);
  const before = (ms: number): number => {
    let low = 0;
    let high = work.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((work[middle]?.[0] ?? 0) < ms) low = middle + 1;
      else high = middle;
    }
    const over = low > 0 ? Math.max(0, (work[low - 1]?.[1] ?? 0) - ms) : 0;
    return (until[low] ?? 0) - over;
  };
  return edges
    .filter((from) => from >= 0 && from + 60_000 <= endMs)
    .map((from) => ({ from, share: (before(from + 60_000) - before(from)) / 60_000 }));
}

const POINTS = 0.02;

function worst(spans: Spans, asked: (from: number) => number): number {
  return Math.max(...everyMinute(spans).map(({ from, share }) => Math.abs(share - asked(from))));
}

/** Batches of any kind that take at most 800 ms, and timers of any kind. */
function anyDevice(seed: number): Device {
  const random = chance(seed);
  const typical = 0.2 * 4_000 ** random();
  const jitter = random();
  const oversleep = [0, 1, 4, 16, 40][Math.floor(5 * random())] ?? 0;
  const stalls = random() < 0.3 ? 0.02 : 0;
  return {
    random,
    batchMs: () => Math.min(800, typical * (1 + jitter * 3 * random() ** 4)),
    oversleepMs: () => (random() < stalls ? 300 * random() : oversleep * random()),
  };
}

describe("the share of the device, over any minute", () => {
  test.each([0.05, 0.1, 0.25, 0.5, 0.75, 0.9])("%d is kept within 2 points on every device", (share) => {
    for (let seed = 1; seed <= 20; seed++) {
      expect(worst(simulate(() => share, anyDevice(seed), 4), () => share)).toBeLessThan(POINTS);
    }
  });

  test("and a pace that does not rest is far outside", () => {
    expect(worst(simulate(() => 0.5, anyDevice(1), 2, false), () => 0.5)).toBeGreaterThan(0.4);
  });

  test("all of the device means no rest at all", () => {
    for (let seed = 1; seed <= 10; seed++) {
      expect(worst(simulate(() => 1, anyDevice(seed), 3), () => 1)).toBeLessThan(POINTS);
    }
  });

  test("changes of the share are followed: each minute has what was asked over it", () => {
    for (let seed = 1; seed <= 25; seed++) {
      const draw = chance(100 + seed);
      const steps = Array.from({ length: 40 }, () => 0.05 + 0.95 * draw());
      const at = (ms: number): number => steps[Math.floor(ms / 10_000)] ?? 1;
      const asked = (from: number): number => {
        let sum = 0;
        for (let ms = from; ms < from + 60_000; ms += 10) sum += at(ms) * 10;
        return sum / 60_000;
      };
      const device = { ...anyDevice(seed), batchMs: () => 3 + 60 * draw() };
      const { work, endMs } = simulate(at, device, 4);
      const some = { work: work.filter((_, i) => i % 97 === 0), endMs };
      for (const from of some.work.map(([begun]) => begun).filter((ms) => ms + 60_000 <= endMs)) {
        const worked = work.reduce(
          (sum, [a, b]) => sum + Math.max(0, Math.min(b, from + 60_000) - Math.max(a, from)),
          0,
        );
        expect(Math.abs(worked / 60_000 - asked(from))).toBeLessThan(POINTS);
      }
    }
  });

  test("a closed lid earns nothing: the minutes after it are like all others", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const device = { ...anyDevice(seed), lid: { atMs: 70_000, forMs: 8 * 3_600_000 } };
      expect(worst(simulate(() => 0.25, device, 4), () => 0.25)).toBeLessThan(POINTS);
    }
  });
});

test("a clock that is set back earns nothing and costs nothing", () => {
  let now = 1_000_000;
  const pace = new Pace(0.5, () => now);
  now -= 900_000;
  pace.worked(100);
  expect(pace.restMs()).toBeCloseTo(200);
  now += 200;
  expect(pace.restMs()).toBe(0);
});

test("a lid that is closed in the middle of a batch owes no rest", () => {
  let now = 0;
  const pace = new Pace(0.25, () => now);
  now += 8 * 3_600_000;
  pace.worked(8 * 3_600_000);
  expect(pace.restMs()).toBe(0);
});

test("long batches at a large share are paid with what is earned meanwhile", () => {
  let now = 0;
  const pace = new Pace(0.9, () => now);
  for (let i = 0; i < 20; i++) {
    now += 900;
    pace.worked(900);
    expect(pace.restMs()).toBeCloseTo(100);
    now += 100;
  }
});

test("a rest after a slow batch comes in pieces, so that a change is heard within 250 ms", () => {
  let now = 0;
  const pace = new Pace(0.05, () => now);
  now += 500;
  pace.worked(500);
  expect(pace.restMs()).toBe(250);
  pace.setShare(1);
  now += 475;
  expect(pace.restMs()).toBe(0);
});

test("a share outside 5% to 100% is brought inside", () => {
  expect([0, 0.01, 0.5, 3, Number.NaN].map(Pace.clamp)).toEqual([0.05, 0.05, 0.5, 1, 1]);
});
