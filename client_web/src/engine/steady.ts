/** A clock that cannot be fooled: it never goes back, and it does not count a night of sleep as work. */

/**
 * Wrap a clock of milliseconds. Steps back count as nothing. A step of more than `longestMs` counts
 * as that much: a device that slept, or whose clock was set, has not worked meanwhile.
 */
export function steady(now: () => number, longestMs = Number.POSITIVE_INFINITY): () => number {
  let seen = now();
  let told = seen;
  return () => {
    const present = now();
    told += Math.min(longestMs, Math.max(0, present - seen));
    seen = present;
    return told;
  };
}
