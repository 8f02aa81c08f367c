/** Numbers and times as people read them. Pure; English, as the pages are. */

import type { Scalar } from "../../protocol/records";

const GROUPED = new Intl.NumberFormat("en");

/** `1797` -> `1,797`. */
export function count(value: number): string {
  return GROUPED.format(value);
}

/** `1, "unit"` -> `1 unit`; `2, "unit"` -> `2 units`. */
export function plural(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
}

const PREFIXES = ["", "k", "M", "G", "T", "P", "E", "Z", "Y"];

/** Three significant digits with an SI prefix: `1234567890` -> `1.23 G`. */
function si(value: number): string {
  let exponent = 0;
  let rest = value;
  // 999.5 would round to the unreadable "1000".
  while (rest >= 999.5 && exponent < PREFIXES.length - 1) {
    rest /= 1000;
    exponent += 1;
  }
  const digits = rest >= 100 || exponent === 0 ? 0 : rest >= 10 ? 1 : 2;
  return `${rest.toFixed(digits)} ${PREFIXES[exponent] ?? ""}`.trimEnd();
}

/** A decimal string of floating point operations -> `1.20 PFLOP`. */
export function flops(value: string): string {
  const text = si(Number(value));
  return /[a-zA-Z]$/.test(text) ? `${text}FLOP` : `${text} FLOP`;
}

/** Bytes -> `2.4 MB`. */
export function bytes(value: number): string {
  const text = si(value);
  return /[a-zA-Z]$/.test(text) ? `${text}B` : `${text} bytes`;
}

/** A score or a loss: three decimals where they say something, else three significant digits. */
export function score(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size < 0.001 || size >= 1e6)) return value.toExponential(2);
  if (size >= 1000) return GROUPED.format(Math.round(value));
  return size >= 100 ? value.toFixed(1) : value.toFixed(3);
}

const ROUNDING = 1e-12;

/** `0.987 ± 0.004`; the spread is left out where there is none. */
export function meanSpread(mean: number | null, spread: number | null | undefined): string {
  if (mean === null) return "–";
  if (spread === null || spread === undefined) return score(mean);
  // Equal scores can differ in their last bit: no spread that anybody measured.
  return `${score(mean)} ± ${score(spread < ROUNDING * Math.abs(mean) ? 0 : spread)}`;
}

/** A hyperparameter's value: `0.0021` -> `2.1e-3`, whole numbers and words as they are. */
export function parameter(value: Scalar | undefined): string {
  if (value === undefined) return "–";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "string") return value;
  if (Number.isInteger(value)) return String(value);
  const short = Number(value.toPrecision(3));
  return Math.abs(short) < 0.01 ? short.toExponential().replace("e+", "e") : String(short);
}

/** Seconds -> `1 h 04`, `6 min`, `45 s`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.round(whole / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${String(minutes % 60).padStart(2, "0")}`;
  return `${Math.round(hours / 24)} days`;
}

/** Seconds left -> `about 6 minutes left`. */
export function timeLeft(seconds: number | null): string {
  if (seconds === null) return "";
  if (seconds < 45) return "less than a minute left";
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `about ${plural(minutes, "minute")} left`;
  const hours = Math.round(minutes / 60);
  if (hours < 48) return `about ${plural(hours, "hour")} left`;
  return `about ${plural(Math.round(hours / 24), "day")} left`;
}

/** `[8, 8, null]` -> `8 × 8 × any`. */
export function shape(axes: readonly (number | null)[]): string {
  return axes.length === 0 ? "one number" : axes.map((axis) => axis ?? "any").join(" × ");
}

/** Seconds since 1970 -> `21 Nov 2026, 14:05`, in the reader's time zone. */
export function moment(at: number): string {
  return new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" }).format(
    new Date(at * 1000),
  );
}

/** The first characters of a hash, enough to tell two apart by eye. */
export function shortHash(hash: string): string {
  return hash.slice(0, 12);
}
