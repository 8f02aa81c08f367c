/** What the donate page shows of a donor, so that a person can read it: no change for an instant. */

import type { ClockPort } from "../../donor/ports";
import type { DonorState, Phase } from "../../donor/state";

/** What is said stays for so long, unless the person acts or the donor ends. */
export const HELD_MS = 2_000;

/** Between two units these last an instant: told only where they last longer. */
const PASSING: ReadonlySet<Phase> = new Set(["connecting", "waiting", "downloading", "handing_in"]);
const ENDING: ReadonlySet<Phase> = new Set(["stopping", "stopped", "problem"]);

/** Two states with the same key say the same; figures may differ. */
function key({ phase, unit, connected, message, ownPause, lastUnit, reasons }: DonorState): string {
  const codes = reasons.map(({ code }) => code);
  return JSON.stringify([phase, unit?.id ?? null, connected, message, ownPause, lastUnit, codes]);
}

/** Whether a change answers the person, or is the last one: never held back. */
function urgent(before: DonorState, next: DonorState): boolean {
  return ENDING.has(next.phase) || before.ownPause !== next.ownPause || before.lastUnit !== next.lastUnit;
}

export class Calm {
  private readonly clock: ClockPort;
  private readonly show: (state: DonorState) => void;
  private shown: DonorState | null = null;
  private latest: DonorState | null = null;
  private shownAtMs = 0;
  private seenKey = "";
  private seenAtMs = 0;
  private cancel: (() => void) | null = null;

  /** Calls `show` with each state that the page is to draw. */
  constructor(clock: ClockPort, show: (state: DonorState) => void) {
    this.clock = clock;
    this.show = show;
  }

  /** Take the donor's newest state. */
  take(state: DonorState): void {
    const now = this.clock.now();
    const said = key(state);
    if (said !== this.seenKey) this.seenAtMs = now;
    this.seenKey = said;
    this.latest = state;
    this.look();
  }

  /** Show nothing more. */
  close(): void {
    this.cancel?.();
    this.latest = null;
  }

  private look(): void {
    this.cancel?.();
    this.cancel = null;
    const next = this.latest;
    if (next === null) return;
    const before = this.shown;
    const same = before !== null && key(before) === this.seenKey;
    const wait = before === null || same || urgent(before, next) ? 0 : this.due(next) - this.clock.now();
    if (wait > 0) {
      this.cancel = this.clock.later(wait, () => this.look());
      return;
    }
    if (!same) this.shownAtMs = this.clock.now();
    this.shown = next;
    this.show(next);
  }

  private due(next: DonorState): number {
    const held = this.shownAtMs + HELD_MS;
    return PASSING.has(next.phase) ? Math.max(held, this.seenAtMs + HELD_MS) : held;
  }
}
