/** When to take a snapshot: as often as it costs at most 5% of the time, and at least every 20 s. */

const LONGEST_MS = 20_000;
const SHORTEST_MS = 1_000;
const COST_FACTOR = 20;

export class Cadence {
  private sinceMs: number;
  private costMs = 0;

  constructor(nowMs: number) {
    this.sinceMs = nowMs;
  }

  due(nowMs: number): boolean {
    const wait = Math.min(LONGEST_MS, Math.max(SHORTEST_MS, COST_FACTOR * this.costMs));
    return nowMs - this.sinceMs >= wait;
  }

  /** Tell that a snapshot was begun and finished. */
  taken(begunMs: number, finishedMs: number): void {
    this.costMs = finishedMs - begunMs;
    this.sinceMs = finishedMs;
  }
}
