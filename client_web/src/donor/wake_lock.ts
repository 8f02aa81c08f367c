/** Keeps the screen on while it is wanted. The browser lets go when the page is hidden, so it is asked again. */

export class ScreenLock {
  private wanted = false;
  private lock: Promise<WakeLockSentinel | null> | null = null;
  private readonly look = (): void => {
    if (document.visibilityState === "visible") void this.take();
  };

  /** Say whether the screen should stay on. */
  async want(wanted: boolean): Promise<void> {
    if (wanted === this.wanted) return;
    this.wanted = wanted;
    if (wanted) {
      document.addEventListener("visibilitychange", this.look);
      return this.take();
    }
    document.removeEventListener("visibilitychange", this.look);
    const lock = this.lock;
    this.lock = null;
    await (await lock)?.release();
  }

  private async take(): Promise<void> {
    if (!("wakeLock" in navigator) || document.visibilityState === "hidden") return;
    const held = await this.lock;
    if (!this.wanted || (held !== null && held !== undefined && !held.released)) return;
    // Refused at low battery, say: the screen sleeps as it would have.
    this.lock = navigator.wakeLock.request("screen").catch(() => null);
    const taken = await this.lock;
    if (!this.wanted) await taken?.release();
  }
}
