/**
 * Keeps the engine to its share of the device by a duty cycle: so many milliseconds of work, then so
 * many of sleep. Pure: it is told what was measured, and says what to do next.
 */

/** Work in one go; short, so that messages are heard and a GPU stays smooth for other pages. */
const SLICE_MS = 40;
const MOST_BATCHES = 256;
/** Shorter sleeps are saved up: timers are not that exact. */
const SHORTEST_SLEEP_MS = 5;
/** Sleep in one go; a change of the share is heard at least this often. */
const LONGEST_SLEEP_MS = 1_000;

export class Pace {
  private share: number;
  private batchMs: number | null = null;
  /** Sleep still owed; negative after oversleeping. */
  private owedMs = 0;

  constructor(share: number) {
    this.share = Pace.clamp(share);
  }

  /** Keep a share between 5% and all of the device. */
  static clamp(share: number): number {
    return Math.min(1, Math.max(0.05, Number.isFinite(share) ? share : 1));
  }

  setShare(share: number): void {
    this.share = Pace.clamp(share);
    this.owedMs = Math.min(0, this.owedMs);
  }

  /** Batches to train before the clock is read again. */
  batches(): number {
    if (this.batchMs === null) return 1;
    return Math.max(1, Math.min(MOST_BATCHES, Math.floor(SLICE_MS / Math.max(this.batchMs, 0.01))));
  }

  /** Tell what a slice took; gives the milliseconds to sleep before the next. */
  worked(batches: number, busyMs: number): number {
    const perBatch = busyMs / batches;
    this.batchMs = this.batchMs === null ? perBatch : 0.7 * this.batchMs + 0.3 * perBatch;
    this.owedMs += (busyMs * (1 - this.share)) / this.share;
    if (this.owedMs < SHORTEST_SLEEP_MS) return 0;
    return Math.min(this.owedMs, LONGEST_SLEEP_MS);
  }

  /** Tell how long a sleep really was. A laptop that was closed has no credit for it. */
  slept(milliseconds: number): void {
    this.owedMs = Math.max(this.owedMs - milliseconds, -LONGEST_SLEEP_MS);
  }
}
