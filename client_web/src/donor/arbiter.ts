/**
 * Who pauses a donor: its owner, or conditions, or both. Only when neither is left does it go on, so a
 * condition that ends never undoes what the owner did.
 */

import type { Reason, ReasonCode } from "./manners";
import type { ClockPort } from "./ports";

/** A pause longer than this hands the units back, so that nobody waits for them. */
export const RELEASE_AFTER_MS = 10 * 60_000;

/** What the arbiter has in its power. */
export interface Paused {
  readonly pause: () => void;
  readonly resume: () => void;
  /** Save what there is, and hand it back; the session stays paused. */
  readonly release: () => void;
}

export class Arbiter {
  private readonly session: Paused;
  private readonly clock: Pick<ClockPort, "later">;
  private own = false;
  private told: readonly Reason[] = [];
  /** Conditions that the owner overruled, for as long as they last. */
  private overruled = new Set<ReasonCode>();
  private paused = false;
  private cancelRelease: () => void = () => {};

  constructor(session: Paused, clock: Pick<ClockPort, "later">) {
    this.session = session;
    this.clock = clock;
  }

  /** Whether the owner paused it. */
  get byOwner(): boolean {
    return this.own;
  }

  /** The conditions that hold it up now. */
  get reasons(): readonly Reason[] {
    return this.told.filter(({ code }) => !this.overruled.has(code));
  }

  /** The owner pauses. */
  pause(): void {
    this.own = true;
    this.settle();
  }

  /** The owner wants it to go on, whatever holds it up now. */
  resume(): void {
    this.own = false;
    this.overruled = new Set(this.told.map(({ code }) => code));
    this.settle();
  }

  /** Tell which conditions hold now. One that ended is no longer overruled when it comes back. */
  tell(reasons: readonly Reason[]): void {
    this.told = reasons;
    const present = new Set(reasons.map(({ code }) => code));
    this.overruled = new Set([...this.overruled].filter((code) => present.has(code)));
    this.settle();
  }

  close(): void {
    this.cancelRelease();
  }

  private settle(): void {
    const pause = this.own || this.reasons.length > 0;
    if (pause === this.paused) return;
    this.paused = pause;
    this.cancelRelease();
    if (!pause) return this.session.resume();
    this.session.pause();
    this.cancelRelease = this.clock.later(RELEASE_AFTER_MS, () => this.session.release());
  }
}
