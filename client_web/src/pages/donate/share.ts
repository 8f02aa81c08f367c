/** The share of the device that this browser's owner chose, kept between visits. */

const KEY = "potluck.share";
export const LEAST = 0.05;

export function storedShare(): number {
  try {
    const text = localStorage.getItem(KEY);
    const value = text === null ? NaN : Number(text);
    return value >= LEAST && value <= 1 ? value : 1;
  } catch {
    return 1;
  }
}

export function keepShare(value: number): void {
  try {
    localStorage.setItem(KEY, String(value));
  } catch {
    // Storage is switched off: the choice holds until the page is left.
  }
}
