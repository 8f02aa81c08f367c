/** When to ask for work: once at a time, with jitter, more and more rarely after units that failed here. */

import type { ClockPort } from "./ports";
import { penaltyMs } from "./recovery";

export class Asking {
  private readonly clock: ClockPort;
  private readonly again: () => void;
  private cancelWait: () => void = () => {};
  private unanswered = false;
  private told: () => void = () => {};
  private handbacksInARow = 0;
  private notBeforeMs = Number.NEGATIVE_INFINITY;
  private resting = false;

  /** `again` is called when a wait is over. */
  constructor(clock: ClockPort, again: () => void) {
    this.clock = clock;
    this.again = again;
  }

  /** Whether a `grant`, `wait` or `problem` is still to come. */
  get outstanding(): boolean {
    return this.unanswered;
  }

  /** Say whether asking is in order now; a penalty that is still to be sat out ends in `again`. */
  mayAsk(): boolean {
    if (this.unanswered || this.resting) return false;
    const early = this.notBeforeMs - this.clock.now();
    if (early > 0) this.later(early);
    return early <= 0;
  }

  asked(): void {
    this.cancelWait();
    this.unanswered = true;
  }

  answered(): void {
    this.unanswered = false;
    this.told();
  }

  /** Resolves once nothing is asked any more. */
  async quiet(): Promise<void> {
    if (this.unanswered) await new Promise<void>((resolve) => (this.told = resolve));
  }

  /** The connection is gone, and with it the question and the wait. */
  reset(): void {
    this.answered();
    this.resting = false;
    this.cancelWait();
  }

  /** The coordinator said how long to wait. With jitter: a thousand tabs must not come back at once. */
  wait(seconds: number): void {
    this.answered();
    this.later(1_000 * seconds * (0.75 + 0.5 * this.clock.random()));
  }

  /** Ask in so many milliseconds, and not before. */
  later(milliseconds: number): void {
    this.cancelWait();
    this.resting = true;
    this.cancelWait = this.clock.later(milliseconds, () => {
      this.resting = false;
      this.again();
    });
  }

  /** A unit could not be finished here: the same one may come again, so wait. */
  failed(): void {
    this.handbacksInARow += 1;
    this.notBeforeMs = this.clock.now() + penaltyMs(this.handbacksInARow);
  }

  succeeded(): void {
    this.handbacksInARow = 0;
  }
}
