/** When a donor leaves its device alone: the rules, pure. `signs.ts` looks, `arbiter.ts` acts. */

import { type Choices, type Hours, MINUTES_A_DAY } from "./choices";

/** What is seen of the device and its owner; null where the browser does not tell. */
export interface Signs {
  readonly battery: { readonly charging: boolean; /** 0 to 1 */ readonly level: number } | null;
  readonly savesData: boolean;
  readonly cellular: boolean;
  readonly hidden: boolean;
  /** Since the last key, click or scroll on other parts of the page. */
  readonly quietMs: number;
  /** Local time, in minutes since midnight. */
  readonly minute: number;
}

export type ReasonCode = "battery" | "data" | "hours" | "hidden" | "busy";

export interface Reason {
  readonly code: ReasonCode;
  /** What it is, and when it ends: two plain sentences. */
  readonly text: string;
}

/** Rest after the person's last act on the page. */
export const YIELD_MS = 1_500;
const GIGABYTE = 1e9;
/** Of the memory that a device tells it has. */
const SHARE_OF_MEMORY = 0.25;

/** Say whether a minute lies within the hours, across midnight too. Equal ends: the whole day. */
export function inHours({ from, to }: Hours, minute: number): boolean {
  if (from === to) return true;
  return from < to ? from <= minute && minute < to : minute >= from || minute < to;
}

function clock(minute: number): string {
  const at = ((minute % MINUTES_A_DAY) + MINUTES_A_DAY) % MINUTES_A_DAY;
  return `${String(Math.floor(at / 60)).padStart(2, "0")}:${String(at % 60).padStart(2, "0")}`;
}

function onBattery({ batteryBelow }: Choices, { battery }: Signs): string | null {
  if (battery === null || battery.charging || batteryBelow === 0) return null;
  const percent = Math.round(100 * battery.level);
  if (batteryBelow >= 100) return `this device runs on battery (${percent}%). It goes on when charging.`;
  if (100 * battery.level >= batteryBelow) return null;
  return `the battery is at ${percent}%, below the ${batteryBelow}% that you chose. It goes on when charging.`;
}

function onData({ sparesData }: Choices, { savesData, cellular }: Signs): string | null {
  if (!sparesData) return null;
  if (savesData) return "this browser saves data. It goes on when data saving is off.";
  return cellular ? "this connection is a mobile one, and may cost money. It goes on with another one." : null;
}

/** List every reason to pause now, the lasting ones first; none: work. */
export function reasons(choices: Choices, signs: Signs): Reason[] {
  const { hours, pausesHidden, yields } = choices;
  const outside = hours !== null && !inHours(hours, signs.minute);
  const texts: readonly (readonly [ReasonCode, string | null])[] = [
    ["battery", onBattery(choices, signs)],
    ["data", onData(choices, signs)],
    ["hours", outside ? `it is outside of the hours that you chose. It goes on at ${clock(hours.from)}.` : null],
    ["hidden", pausesHidden && signs.hidden ? "this tab is hidden. It goes on when you look at it." : null],
    ["busy", yields && signs.quietMs < YIELD_MS ? "you are using this page. It goes on in a moment." : null],
  ];
  return texts.flatMap(([code, text]) => (text === null ? [] : [{ code, text }]));
}

/** Bytes that one unit may take: what was chosen, else a quarter of what the device tells, else 1 GB. */
export function memoryAllowed(chosen: number | null, deviceGigabytes: number | undefined): number {
  if (chosen !== null) return chosen;
  return deviceGigabytes === undefined ? GIGABYTE : SHARE_OF_MEMORY * deviceGigabytes * GIGABYTE;
}

/** Say whether a unit fits into the memory that is allowed; one of unknown needs does. */
export function fits(neededBytes: number | undefined, allowedBytes: number | null): boolean {
  return allowedBytes === null || (neededBytes ?? 0) <= allowedBytes;
}
