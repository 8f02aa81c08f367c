/** How often states go up: uploading may take 5% of the time, so one of t seconds earns 19 t of quiet. */

const SHARE_OF_UPLINK = 0.05;

export class UploadBudget {
  private freeAtMs = Number.NEGATIVE_INFINITY;

  allows(nowMs: number): boolean {
    return nowMs >= this.freeAtMs;
  }

  /** Tell when an upload began and ended, whether it came through or not. */
  spent(begunMs: number, endedMs: number): void {
    this.freeAtMs = endedMs + (endedMs - begunMs) * (1 / SHARE_OF_UPLINK - 1);
  }
}
