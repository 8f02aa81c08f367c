/** Times of day as inputs write them, and as minutes since midnight. Pure. */

/** `22:30` for 1350. */
export function timeOf(minute: number): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${two(Math.floor(minute / 60))}:${two(minute % 60)}`;
}

/** 1350 for `22:30`; null where it is no time, as while it is being typed. */
export function minuteOf(text: string): number | null {
  const match = /^([01]\d|2[0-3]):([0-5]\d)/.exec(text);
  return match === null ? null : 60 * Number(match[1]) + Number(match[2]);
}
