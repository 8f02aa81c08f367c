/** What becomes of the units in the engine when it fails. */

import type { EngineFailure } from "../engine/messages";
import type { Holding } from "./holding";
import { type Recovery, recover } from "./recovery";
import type { Work } from "./work";

/** What the session does about it. */
export interface Infirmary {
  readonly restartEngine: (code: EngineFailure, message: string) => void;
  /** Nothing can be trained on this device. */
  readonly end: (message: string) => void;
}

export class Mishaps {
  private readonly work: Work;
  private readonly infirmary: Infirmary;
  private restarts = 0;

  constructor(work: Work, infirmary: Infirmary) {
    this.work = work;
    this.infirmary = infirmary;
  }

  /** A unit came through: what failed before it is no pattern. */
  forgive(): void {
    this.restarts = 0;
  }

  /** The engine failed at one unit, or with null at all that it had in hand. */
  failed(leaseId: string | null, code: EngineFailure, message: string): void {
    const training = this.work.hands.group.filter(({ stage }) => stage === "training");
    const blamed = leaseId === null ? training : training.filter(({ lease }) => lease.id === leaseId);
    // A unit that was put down meanwhile has nobody to blame.
    if (leaseId !== null && blamed.length === 0) return;
    const decided = blamed.map((holding) => ({ holding, recovery: this.decide(code, message, holding) }));
    const general = blamed.length === 0 ? [this.decide(code, message, null)] : [];
    const all = [...general, ...decided.map(({ recovery }) => recovery)];
    const ended = all.find((recovery) => recovery.act === "end");
    if (ended !== undefined) return this.infirmary.end(ended.message);
    for (const { holding, recovery } of decided) {
      if (recovery.act === "give_up") void this.work.giveUp(holding.lease.id, recovery.reason, message);
      // A graphics card that was taken away says nothing of the unit.
      else if (code === "error") this.work.fail(holding.lease.id);
    }
    const restart = all.some((recovery) => recovery.act === "restart" || (recovery.act === "give_up" && recovery.restart));
    if (!restart) return;
    this.restarts += 1;
    // Those that were trained beside it went with the Worker too.
    for (const { lease, stage } of this.work.hands.group) {
      if (stage === "training") this.work.putBack(lease.id);
    }
    this.infirmary.restartEngine(code, message);
  }

  private decide(code: EngineFailure, message: string, holding: Holding | null): Recovery {
    return recover(code, message, holding?.failures ?? null, this.restarts);
  }
}
