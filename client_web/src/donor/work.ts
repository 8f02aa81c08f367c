/** One unit's way through this donor: brought, trained, saved, handed in, or given back. */

import type { Snapshot } from "../engine/messages";
import type { DonorMessage, Handback } from "../protocol/messages";
import { Deliveries, rest } from "./deliveries";
import { Hands } from "./hands";
import { type Holding, type Result, toCompleted, toHandback } from "./holding";
import type { Ports } from "./ports";

const RETRY_HAND_IN_MS = 3_000;

export type Send = (message: DonorMessage) => void;

/** What the session does for its work. */
export interface Office {
  /** The present connection once it is welcomed, else null. */
  readonly line: () => Send | null;
  /** Whether the next request may go with a result; the session then counts it as asked. */
  readonly askAlong: () => boolean;
  /** Something changed that the page may show. */
  readonly changed: (message?: string) => void;
  /** The hands are free for what comes next. */
  readonly next: () => void;
  /** A unit could not be finished here. */
  readonly gaveUp: () => void;
}

export class Work {
  readonly hands: Hands;
  readonly deliveries: Deliveries;
  private readonly ports: Ports;
  private readonly office: Office;

  constructor(ports: Ports, office: Office) {
    this.ports = ports;
    this.office = office;
    this.hands = new Hands(ports.memory);
    this.deliveries = new Deliveries(ports.artifacts, ports.states, ports.clock);
  }

  update(id: string, change: (holding: Holding) => Holding): void {
    this.hands.update(id, change);
    this.office.changed();
  }

  /** Download what a unit needs, and give it to the engine. */
  async bring(id: string): Promise<void> {
    const holding = this.hands.get(id);
    if (holding === undefined) return;
    this.hands.take(id);
    this.update(id, (present) => ({ ...present, stage: "downloading" }));
    try {
      const job = await this.deliveries.job(holding.lease, holding.latest);
      if (this.hands.get(id) === undefined) return;
      this.update(id, (present) => ({ ...present, stage: "training" }));
      this.ports.engine.post({ type: "train", jobs: [job] });
    } catch (problem) {
      const detail = problem instanceof Error ? problem.message : String(problem);
      await this.giveUp(id, "error", `What it needs could not be downloaded: ${detail}.`);
    }
  }

  /** Keep a state here, and upload it by the way where the budget allows. */
  keep(id: string, snapshot: Snapshot): void {
    const holding = this.hands.get(id);
    if (holding === undefined) return;
    this.update(id, (present) => ({ ...present, latest: snapshot }));
    void this.ports.states.save(holding.lease.unit.id, snapshot);
    if (this.office.line() !== null && this.deliveries.allowed) void this.save(id);
  }

  /** Upload the newest state and name it to the coordinator. After a failure a newer one follows. */
  async save(id: string): Promise<void> {
    const holding = this.hands.get(id);
    const snapshot = holding?.latest ?? null;
    if (holding === undefined || snapshot === null) return;
    if (snapshot.step <= (holding.savedStep ?? -1)) return;
    const uploaded = await this.deliveries.upload(holding.lease, snapshot);
    if (uploaded !== "through" || this.hands.get(id) === undefined) return;
    const { sha256: artifact, epoch, step } = snapshot;
    this.office.line()?.({ type: "checkpoint", leases: [{ lease_id: id, artifact, epoch, step }] });
    const savedAtMs = this.ports.clock.now();
    this.update(id, (present) => ({ ...present, savedStep: step, savedAtMs }));
  }

  /** Upload a result and hand it in; tries as long as this connection stands, one loop for each. */
  async handIn(id: string): Promise<void> {
    const line = this.office.line();
    while (line !== null && this.office.line() === line) {
      const holding = this.hands.get(id);
      const result = holding?.result ?? null;
      if (holding === undefined || result === null) return;
      const uploaded = await this.deliveries.upload(holding.lease, result.snapshot);
      if (uploaded === "too_large") {
        return this.giveUp(id, "over_limit", "Its result is larger than the unit allows.");
      }
      if (this.office.line() !== line) return;
      // Refused for its lease: the coordinator's answer to the result says why, calmly.
      if (uploaded !== "failed") return this.complete(id, result, line);
      await rest(this.ports.clock, RETRY_HAND_IN_MS);
    }
  }

  /** Hand one unit back because it cannot be finished here; what there is of it is saved first. */
  async giveUp(id: string, reason: Handback["reason"], detail: string): Promise<void> {
    await this.save(id);
    this.handBack([id], reason, detail);
    this.office.changed(`A unit was handed back. ${detail}`);
    this.office.gaveUp();
  }

  handBack(ids: readonly string[], reason: Handback["reason"], detail = ""): void {
    const leases = ids.flatMap((id) => {
      const holding = this.hands.get(id);
      return holding === undefined ? [] : [toHandback(holding, reason, detail)];
    });
    if (leases.length > 0) this.office.line()?.({ type: "abort", leases });
    for (const id of ids) this.forget(id);
  }

  handBackAll(reason: Handback["reason"], detail = ""): void {
    this.handBack(this.hands.all().map(({ lease }) => lease.id), reason, detail);
  }

  /** Let go of a unit, in the engine as well. */
  forget(id: string): void {
    this.ports.engine.post({ type: "drop", leaseId: id });
    this.hands.forget(id);
  }

  private complete(id: string, result: Result, line: Send): void {
    const holding = this.hands.get(id);
    if (holding === undefined) return;
    this.hands.lay(id);
    this.hands.update(id, (present) => ({ ...present, stage: "handed_in" }));
    const more = this.hands.queued === undefined && this.office.askAlong();
    line({
      type: "complete",
      leases: [toCompleted(holding, result)],
      next: more ? { type: "request", most: 1, cached: this.deliveries.cached } : null,
    });
    this.office.changed();
    this.office.next();
  }
}
