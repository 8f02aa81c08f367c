/** Notices an engine that says nothing any more: far longer than its own pace explains. */

import type { ClockPort } from "./ports";

const LOOK_EVERY_MS = 10_000;
/** Loading a backend, compiling its programs and a first batch may take this long. */
const FIRST_SIGN_MS = 300_000;
const LEAST_MS = 60_000;
const TIMES_ITS_PACE = 20;

export class Watchdog {
  private readonly clock: ClockPort;
  private readonly bark: () => void;
  private cancel: () => void = () => {};
  private lookedAtMs = 0;
  /** Silence so far, without what this page slept through. */
  private quietMs = 0;
  private longestQuietMs: number | null = null;
  private watching = false;

  constructor(clock: ClockPort, bark: () => void) {
    this.clock = clock;
    this.bark = bark;
  }

  /** The engine has something to do, and its pace is not known yet. */
  watch(): void {
    this.rest();
    this.watching = true;
    this.quietMs = 0;
    this.longestQuietMs = null;
    this.lookedAtMs = this.clock.now();
    this.arm();
  }

  /** The engine said how far it is. */
  heard(): void {
    if (!this.watching) return;
    this.count();
    // What came before the first sign was loading and compiling, not pace.
    this.longestQuietMs = this.longestQuietMs === null ? 0 : Math.max(this.longestQuietMs, this.quietMs);
    this.quietMs = 0;
  }

  /** The engine has nothing to say: paused, or without work. */
  rest(): void {
    this.watching = false;
    this.cancel();
  }

  private get patienceMs(): number {
    if (this.longestQuietMs === null) return FIRST_SIGN_MS;
    return Math.max(LEAST_MS, TIMES_ITS_PACE * this.longestQuietMs);
  }

  /** Between two looks a page that was awake sees about their distance pass; more was sleep. */
  private count(): void {
    const now = this.clock.now();
    this.quietMs += Math.min(2 * LOOK_EVERY_MS, Math.max(0, now - this.lookedAtMs));
    this.lookedAtMs = now;
  }

  private arm(): void {
    this.cancel = this.clock.later(LOOK_EVERY_MS, () => {
      this.count();
      if (this.quietMs < this.patienceMs) return this.arm();
      this.watching = false;
      this.bark();
    });
  }
}
