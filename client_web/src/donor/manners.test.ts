/** The manners as laws, over every mixture of signs and choices. */

import { describe, expect, test } from "vitest";
import { type Choices, DEFAULT_CHOICES, toChoices } from "./choices";
import { fits, inHours, memoryAllowed, reasons, type ReasonCode, type Signs, YIELD_MS } from "./manners";

const AT_EASE: Signs = {
  battery: { charging: true, level: 1 }, savesData: false, cellular: false, hidden: false,
  quietMs: 60_000, minute: 720,
};

function pick<T>(...values: readonly T[]): readonly T[] {
  return values;
}

function mixtures<T>(fields: { readonly [K in keyof T]: readonly T[K][] }): T[] {
  let made: Partial<T>[] = [{}];
  for (const [name, values] of Object.entries(fields) as [keyof T, readonly T[keyof T][]][]) {
    made = made.flatMap((one) => values.map((value) => ({ ...one, [name]: value })));
  }
  return made as T[];
}

const SIGNS = mixtures<Signs>({
  battery: pick(null, { charging: true, level: 0.1 }, { charging: false, level: 0.34 }, { charging: false, level: 0.9 }),
  savesData: pick(true, false),
  cellular: pick(true, false),
  hidden: pick(true, false),
  quietMs: pick(0, YIELD_MS - 1, YIELD_MS, 1e9),
  minute: pick(0, 479, 480, 1_319, 1_320, 1_439),
});
const CHOICES = mixtures<Choices>({
  share: pick(1),
  batteryBelow: pick(0, 20, 50, 100),
  sparesData: pick(true, false),
  hours: pick(null, { from: 480, to: 1_320 }, { from: 1_320, to: 480 }),
  pausesHidden: pick(true, false),
  yields: pick(true, false),
  wakeLock: pick(false),
  backend: pick(null),
  memoryBytes: pick(null),
});

function codes(choices: Choices, signs: Signs): ReasonCode[] {
  return reasons(choices, signs).map(({ code }) => code);
}

describe("for every device and every choice", () => {
  test("each reason is there exactly when its own sign and choice are, whatever the others are", () => {
    const own: Record<ReasonCode, (choices: Choices, signs: Signs) => boolean> = {
      battery: ({ batteryBelow: below }, { battery }) =>
        battery !== null && !battery.charging && (below >= 100 || 100 * battery.level < below),
      data: ({ sparesData }, { savesData, cellular }) => sparesData && (savesData || cellular),
      hours: ({ hours }, { minute }) => hours !== null && !inHours(hours, minute),
      hidden: ({ pausesHidden }, { hidden }) => pausesHidden && hidden,
      busy: ({ yields }, { quietMs }) => yields && quietMs < YIELD_MS,
    };
    let wrong = 0;
    for (const choices of CHOICES) {
      for (const signs of SIGNS) {
        const found = codes(choices, signs);
        for (const [code, holds] of Object.entries(own)) {
          if (found.includes(code as ReasonCode) !== holds(choices, signs)) wrong += 1;
        }
      }
    }
    expect(wrong).toBe(0);
  });

  test("each reason says what it is and when it goes on", () => {
    for (const choices of CHOICES) {
      for (const signs of SIGNS) {
        for (const { text } of reasons(choices, signs)) {
          if (!/^[a-z].*\. It goes on .*\.$/.test(text)) throw new Error(text);
        }
      }
    }
  });
});

test("the sentences name the battery's level, the chosen level and the hour", () => {
  const low: Signs = { ...AT_EASE, battery: { charging: false, level: 0.34 } };
  expect(reasons(DEFAULT_CHOICES, low)[0]?.text).toBe(
    "this device runs on battery (34%). It goes on when charging.",
  );
  expect(reasons({ ...DEFAULT_CHOICES, batteryBelow: 50 }, low)[0]?.text).toContain("below the 50%");
  const night = { ...DEFAULT_CHOICES, hours: { from: 1_350, to: 425 } };
  expect(reasons(night, AT_EASE)[0]?.text).toContain("at 22:30");
});

test("a device that tells nothing is never held up for what it does not tell", () => {
  expect(reasons(DEFAULT_CHOICES, { ...AT_EASE, battery: null })).toEqual([]);
});

test("hours that cross midnight are the others' complement, and each minute of a day is in one of them", () => {
  for (const [from, to] of [[480, 1_320], [0, 1], [1_439, 0], [600, 601]] as const) {
    for (let minute = 0; minute < 1_440; minute++) {
      expect(inHours({ from, to }, minute)).toBe(!inHours({ from: to, to: from }, minute));
    }
  }
  expect(inHours({ from: 300, to: 300 }, 7)).toBe(true);
});

test("memory: what was chosen, else a quarter of the device's, else one gigabyte; and a unit fits or not", () => {
  expect(memoryAllowed(5, 8)).toBe(5);
  expect(memoryAllowed(null, 8)).toBe(2e9);
  expect(memoryAllowed(null, undefined)).toBe(1e9);
  expect([fits(10, 10), fits(11, 10), fits(11, null), fits(undefined, 0)]).toEqual([true, false, true, true]);
});

test("choices read back as they were kept, and nonsense is as at first", () => {
  for (const choices of CHOICES) expect(toChoices(JSON.parse(JSON.stringify(choices)))).toEqual(choices);
  const odd = [null, 3, "x", [], { share: 7, batteryBelow: "low", hours: { from: -1, to: 2 }, backend: "jax", memoryBytes: 1, yields: 1 }];
  for (const value of odd) expect(toChoices(value)).toEqual(DEFAULT_CHOICES);
});
