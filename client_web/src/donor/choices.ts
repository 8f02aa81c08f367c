/** What a donor's owner chose. Kept in this browser; it never makes a tab start by itself. */

import { guarded } from "./memory";

export const BACKENDS = ["webgpu", "webgl", "wasm", "cpu"] as const;
export type ChosenBackend = (typeof BACKENDS)[number];

export const LEAST_SHARE = 0.05;

/** Minutes since midnight, local time; `to` may lie before `from`: then they go across midnight. */
export interface Hours {
  readonly from: number;
  readonly to: number;
}

export interface Choices {
  /** Of the device, 0.05 to 1. */
  readonly share: number;
  /** On battery, pause below so many percent; 0: never, 100: always. */
  readonly batteryBelow: number;
  /** Pause on a metered connection, or while the browser saves data. */
  readonly sparesData: boolean;
  /** Work only within these hours. */
  readonly hours: Hours | null;
  readonly pausesHidden: boolean;
  /** Rest for a moment after every key, click and scroll on this page. */
  readonly yields: boolean;
  readonly wakeLock: boolean;
  /** Null: the fastest. */
  readonly backend: ChosenBackend | null;
  /** What one unit may take; null: as much as fits this device. */
  readonly memoryBytes: number | null;
}

export const DEFAULT_CHOICES: Choices = {
  share: 1,
  batteryBelow: 100,
  sparesData: true,
  hours: null,
  pausesHidden: false,
  yields: true,
  wakeLock: false,
  backend: null,
  memoryBytes: null,
};

export const MINUTES_A_DAY = 1_440;
const LEAST_MEMORY = 64 * 2 ** 20;
const MOST_MEMORY = 2 ** 40;
const KEY = "potluck.choices";

function within(value: unknown, least: number, most: number): value is number {
  return typeof value === "number" && value >= least && value <= most;
}

function isHours(value: unknown): value is Hours {
  const { from, to } = (value ?? {}) as Partial<Hours>;
  const minute = (at: unknown): boolean => within(at, 0, MINUTES_A_DAY - 1) && Number.isInteger(at);
  return minute(from) && minute(to);
}

/** Read choices from anything; what is missing or makes no sense is as at first. */
export function toChoices(value: unknown): Choices {
  const given = (typeof value === "object" && value !== null ? value : {}) as Partial<Record<keyof Choices, unknown>>;
  const flag = (name: "sparesData" | "pausesHidden" | "yields" | "wakeLock"): boolean => {
    const found = given[name];
    return typeof found === "boolean" ? found : DEFAULT_CHOICES[name];
  };
  const { hours } = given;
  return {
    share: within(given.share, LEAST_SHARE, 1) ? given.share : DEFAULT_CHOICES.share,
    batteryBelow: within(given.batteryBelow, 0, 100) ? given.batteryBelow : DEFAULT_CHOICES.batteryBelow,
    sparesData: flag("sparesData"),
    hours: isHours(hours) ? { from: hours.from, to: hours.to } : null,
    pausesHidden: flag("pausesHidden"),
    yields: flag("yields"),
    wakeLock: flag("wakeLock"),
    backend: BACKENDS.find((name) => name === given.backend) ?? null,
    memoryBytes: within(given.memoryBytes, LEAST_MEMORY, MOST_MEMORY) ? given.memoryBytes : null,
  };
}

/** Open what was chosen at the last visit. */
export function openChoices(storage = guarded(() => localStorage)): {
  readonly load: () => Choices;
  readonly keep: (choices: Choices) => void;
} {
  return {
    load: () => {
      try {
        return toChoices(JSON.parse(storage.getItem(KEY) ?? "null"));
      } catch {
        return DEFAULT_CHOICES;
      }
    },
    keep: (choices) => storage.setItem(KEY, JSON.stringify(choices)),
  };
}
