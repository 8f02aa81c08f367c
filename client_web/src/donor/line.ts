/** The connection to the coordinator: greeted or not, and whether anybody still answers. */

import type { DonorMessage } from "../protocol/messages";
import type { ClockPort } from "./ports";

/** Every message has an answer; without one for so long the connection is dead, whatever it says. */
const SILENCE_MS = 45_000;

export type Send = (message: DonorMessage) => void;

export class Line {
  private readonly clock: ClockPort;
  private readonly reopen: () => void;
  private raw: Send | null = null;
  private greeted: Send | null = null;
  private unansweredSinceMs: number | null = null;
  private cancelLook: () => void = () => {};

  /** `reopen` throws the connection away and makes a new one. */
  constructor(clock: ClockPort, reopen: () => void) {
    this.clock = clock;
    this.reopen = reopen;
  }

  /** A connection stands; only `hello` goes over it before the welcome. */
  opened(send: Send): void {
    this.closed();
    this.raw = send;
  }

  isOpen(send: Send): boolean {
    return this.raw === send;
  }

  hello(message: DonorMessage): void {
    if (this.raw !== null) this.tell(this.raw, message);
  }

  welcomed(): void {
    const send = this.raw;
    this.greeted = send === null ? null : (message) => this.tell(send, message);
  }

  closed(): void {
    this.raw = null;
    this.greeted = null;
    this.answered();
  }

  /** The present connection once it is welcomed, else null. The same one is the same value. */
  get say(): Send | null {
    return this.greeted;
  }

  /** Something came: the other side is there. */
  answered(): void {
    this.unansweredSinceMs = null;
    this.cancelLook();
  }

  /** See whether the other side is still there. A laptop that slept finds out at its first tick. */
  look(): void {
    if (this.unansweredSinceMs === null || this.raw === null) return;
    if (this.clock.now() - this.unansweredSinceMs < SILENCE_MS) return;
    this.answered();
    this.reopen();
  }

  private tell(send: Send, message: DonorMessage): void {
    if (this.unansweredSinceMs === null) {
      this.unansweredSinceMs = this.clock.now();
      this.cancelLook = this.clock.later(SILENCE_MS, () => this.look());
    }
    send(message);
  }
}
