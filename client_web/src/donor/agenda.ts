/** What comes next: units into the engine, the next ones asked for and fetched ahead, a newer page. */

import { Asking } from "./asking";
import { Estimate, shareLeft } from "./estimate";
import type { Line } from "./line";
import type { Ports } from "./ports";
import { NEW_PAGE } from "./words";
import type { Work } from "./work";

/** The next units are asked for when the present ones take no longer than this, */
const ASK_AHEAD_MS = 30_000;
/** and are half done: of short ones nobody else is deprived. */
const ASK_AHEAD_SHARE = 0.5;

/** What the session knows of its person's wishes. */
export interface Wishes {
  readonly ended: () => boolean;
  readonly paused: () => boolean;
  readonly lastUnit: () => boolean;
  readonly tell: (message?: string) => void;
}

export class Agenda {
  readonly asking: Asking;
  readonly estimate = new Estimate();
  private readonly work: Work;
  private readonly line: Line;
  private readonly ports: Ports;
  private readonly wishes: Wishes;
  /** The coordinator's version where this page is of another, to be loaded between two units. */
  private newerPage: string | null = null;

  constructor(work: Work, line: Line, ports: Ports, wishes: Wishes) {
    this.asking = new Asking(ports.clock, () => this.workOn());
    this.work = work;
    this.line = line;
    this.ports = ports;
    this.wishes = wishes;
  }

  /** The coordinator's version; a page of another is loaded anew between two units. */
  served(version: string): void {
    this.newerPage = version === this.ports.client ? null : version;
  }

  /** Do what is next. Called after everything that happens; does nothing where nothing is due. */
  workOn(): void {
    const { hands } = this.work;
    if (this.wishes.ended()) return;
    if (!hands.busy && !this.wishes.paused()) void this.work.bring(hands.nextGroup);
    else if (this.nearlyDone) this.work.fetchAhead(hands.nextGroup);
    if (this.newerPage !== null && this.changePage(this.newerPage)) return;
    if (this.wantsWork() && this.asking.mayAsk()) this.ask();
  }

  /** Work came: at most one group waits, and only while the present one is nearly done. */
  granted(): void {
    this.workOn();
    const ahead = new Set(this.nearlyDone ? this.work.hands.nextGroup : []);
    if (this.work.hands.busy) this.work.returnQueued("stopped", (holding) => !ahead.has(holding));
  }

  private get nearlyDone(): boolean {
    const { group } = this.work.hands;
    if (group.length === 0 || group.some(({ stage }) => stage !== "training")) return false;
    const left = this.estimate.leftMs(group);
    return left !== null && left <= ASK_AHEAD_MS && shareLeft(group) <= ASK_AHEAD_SHARE;
  }

  private wantsWork(): boolean {
    const { hands } = this.work;
    if (this.line.say === null || this.wishes.paused() || this.wishes.lastUnit()) return false;
    return hands.queued.length === 0 && hands.room > 0 && (!hands.busy || this.nearlyDone);
  }

  private ask(): void {
    this.asking.asked();
    this.line.say?.({ type: "request", most: this.work.hands.room, cached: this.work.deliveries.cached });
    this.wishes.tell();
  }

  /** Load the coordinator's own page once nothing is in hand; false where work goes on as it is. */
  private changePage(version: string): boolean {
    const { hands } = this.work;
    if (this.wishes.paused() || this.wishes.lastUnit()) return false;
    if (!hands.empty) {
      this.wishes.tell(NEW_PAGE);
      return true;
    }
    if (this.ports.page.reload(version)) return true;
    this.newerPage = null;
    return false;
  }
}
