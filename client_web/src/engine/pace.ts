/**
 * Keeps the engine to its share of the device: time on the clock earns time to work, work spends it.
 *
 * Over any minute awake, work takes the asked share within 2 points, as long as one batch takes at
 * most 800 ms (a batch is never cut; slower ones may cost one batch more). Pure but for the clock that
 * it is given.
 */

import { SliceSize } from "./slice_size";

/** Time to work that may be saved up: what timers oversleep is worked off, a closed lid's hours are not. */
const MOST_SAVED_MS = 400;
/** Work in one go that took longer was interrupted by a closed lid: no rest is owed for that. */
const LONGEST_WORK_MS = 60_000;
/** Shorter rests are saved up: timers are not that exact. */
const SHORTEST_REST_MS = 5;
/** Rest in one go, so that a change of the share, a pause or a drop is heard soon. */
const LONGEST_REST_MS = 250;

export class Pace {
  readonly slices = new SliceSize();
  private readonly now: () => number;
  private share: number;
  /** Time to work that is left; negative when a rest is due. */
  private balanceMs = 0;
  private settledAt: number;

  constructor(share: number, now: () => number) {
    this.share = Pace.clamp(share);
    this.now = now;
    this.settledAt = now();
  }

  /** Keep a share between 5% and all of the device. */
  static clamp(share: number): number {
    return Math.min(1, Math.max(0.05, Number.isFinite(share) ? share : 1));
  }

  /** From now on keep another share: a debt stays, what was saved up under the old one does not. */
  setShare(share: number): void {
    this.settle();
    const next = Pace.clamp(share);
    if (next !== this.share) this.balanceMs = Math.min(0, this.balanceMs);
    this.share = next;
  }

  /** Tell that the device was kept busy for the last so many milliseconds. */
  worked(milliseconds: number): void {
    this.settle(Math.min(Math.max(0, milliseconds), LONGEST_WORK_MS));
  }

  /** Milliseconds to rest now; ask again after resting. 0: go on. */
  restMs(): number {
    this.settle();
    const due = -this.balanceMs / this.share;
    return due < SHORTEST_REST_MS ? 0 : Math.min(due, LONGEST_REST_MS);
  }

  private settle(workedMs = 0): void {
    const now = this.now();
    // A clock that was set back earns nothing.
    const passed = Math.max(0, now - this.settledAt);
    this.settledAt = now;
    this.balanceMs = Math.min(MOST_SAVED_MS, this.balanceMs + passed * this.share - workedMs);
  }
}
