/** The page's own time. */

import type { ClockPort } from "./ports";

export const CLOCK: ClockPort = {
  now: () => performance.now(),
  later: (milliseconds, act) => {
    const timer = setTimeout(act, milliseconds);
    return () => clearTimeout(timer);
  },
  random: () => Math.random(),
};
