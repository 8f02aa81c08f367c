/** Units' way through this donor: fetched, trained together, saved, handed in one by one, or given back. */

import type { Job, Snapshot } from "../engine/messages";
import type { Handback, Lease } from "../protocol/messages";
import { Deliveries, passes, rest } from "./deliveries";
import { Hands } from "./hands";
import { type Holding, type Result, toCompleted, toHandback } from "./holding";
import type { Send } from "./line";
import type { Ports } from "./ports";

const RETRY_HAND_IN_MS = 3_000;
const CHALLENGE_TRIES = 20;

/** What the session does for its work. */
export interface Office {
  /** The present connection once it is welcomed, else null. */
  readonly line: () => Send | null;
  /** Something changed that the page may show. */
  readonly changed: (message?: string) => void;
  /** Units went to the engine. */
  readonly begun: () => void;
  /** A unit cannot be finished here, and is about to be handed back. */
  readonly givingUp: () => void;
  /** The hands are free for what comes next. */
  readonly next: () => void;
}

export class Work {
  readonly hands: Hands;
  readonly deliveries: Deliveries;
  private readonly ports: Ports;
  private readonly office: Office;
  /** What queued units need, fetched ahead. */
  private readonly fetched = new Map<string, Promise<Job>>();
  /** Leases whose result was handed in and has no answer yet, oldest first. */
  private readonly unanswered = new Set<string>();
  /** Units that failed here while nobody could be told. */
  private readonly toGiveBack = new Map<string, { readonly reason: Handback["reason"]; readonly detail: string }>();

  /** Leases that were settled, and of which the coordinator asked for committed states. */
  private readonly asked = new Map<string, Lease>();

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

  // ---- to the engine ----

  /** Fetch what queued units need, so that they begin at once when it is their turn. */
  fetchAhead(units: readonly Holding[]): void {
    for (const { lease, latest } of units) {
      if (this.fetched.has(lease.id)) continue;
      const job = this.deliveries.job(lease, latest);
      this.fetched.set(lease.id, job);
      // When its turn comes it is fetched again.
      job.catch(() => this.fetched.delete(lease.id));
    }
  }

  /** Fetch what units need, and give them to the engine to be trained together. */
  async bring(units: readonly Holding[]): Promise<void> {
    const ids = units.map(({ lease }) => lease.id);
    for (const id of ids) {
      this.hands.take(id);
      this.update(id, (present) => ({ ...present, stage: "downloading" }));
    }
    const jobs = await Promise.all(ids.map((id) => this.job(id)));
    const here = jobs.filter((job) => job !== null).filter(({ leaseId }) => this.isComing(leaseId));
    if (here.length === 0) return;
    for (const { leaseId } of here) {
      this.update(leaseId, (present) => ({ ...present, stage: "training" }));
    }
    this.ports.engine.post({ type: "train", jobs: here });
    this.office.begun();
  }

  /** It may have been put down while it was fetched. */
  private isComing(id: string): boolean {
    return this.hands.get(id)?.stage === "downloading";
  }

  private async job(id: string): Promise<Job | null> {
    const holding = this.hands.get(id);
    if (holding === undefined) return null;
    const ahead = this.fetched.get(id);
    this.fetched.delete(id);
    try {
      return await (ahead ?? this.deliveries.job(holding.lease, holding.latest));
    } catch (problem) {
      if (this.hands.get(id) === undefined) return null;
      const detail = problem instanceof Error ? problem.message : String(problem);
      // Without a connection nobody could be told; it waits for the next one.
      if (this.office.line() === null && passes(problem)) this.putBack(id);
      else await this.giveUp(id, "error", `What it needs could not be downloaded: ${detail}.`);
      return null;
    }
  }

  /** Take a unit out of the engine's hands, to be brought again from its newest state. */
  putBack(id: string): void {
    this.hands.lay(id);
    this.update(id, (present) => ({ ...present, stage: "queued" }));
  }

  /** The engine failed at a unit; it is trained alone from now on. */
  fail(id: string): void {
    this.update(id, (present) => ({ ...present, failures: present.failures + 1 }));
  }

  // ---- states and results ----

  /** Keep a state here, and upload the one that waits longest by the way where the budget allows. */
  keep(id: string, snapshot: Snapshot): void {
    const holding = this.hands.get(id);
    if (holding === undefined) return;
    this.update(id, (present) => ({ ...present, latest: snapshot }));
    // A full disk costs training again after a crash, nothing else.
    this.ports.states.save(holding.lease.unit.id, snapshot).catch(() => undefined);
    if (this.office.line() === null || !this.deliveries.allowed) return;
    const [longest] = this.hands.group
      .filter(({ latest, savedStep }) => latest !== null && latest.step > (savedStep ?? -1))
      .sort((one, other) => (one.savedAtMs ?? -1) - (other.savedAtMs ?? -1));
    if (longest !== undefined) void this.save(longest.lease.id);
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

  /** A unit is finished: the engine is free of it, and its result goes up in the background. */
  finish(id: string, result: Result): void {
    const holding = this.hands.get(id);
    if (holding === undefined) return;
    this.hands.lay(id);
    this.update(id, (present) => ({ ...present, stage: "handing_in", latest: result.snapshot, result }));
    // Should the tab die before the result is taken, the unit's end is still here.
    if (!result.diverged) {
      this.ports.states.save(holding.lease.unit.id, result.snapshot).catch(() => undefined);
    }
    void this.handIn(id);
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

  /** Over another line: hand in what was finished or has no answer yet, and back what failed. */
  tellAgain(): void {
    for (const [id, { reason, detail }] of this.toGiveBack) this.handBack([id], reason, detail);
    this.unanswered.clear();
    for (const { lease, result } of this.hands.all()) {
      if (result !== null) void this.handIn(lease.id);
    }
  }

  /** Take the result that waits longest for its answer: the coordinator's next one is about it. */
  takeUnanswered(): string | undefined {
    const [oldest] = this.unanswered;
    if (oldest !== undefined) this.unanswered.delete(oldest);
    return oldest;
  }

  private complete(id: string, result: Result, line: Send): void {
    const holding = this.hands.get(id);
    if (holding === undefined) return;
    this.unanswered.add(id);
    this.update(id, (present) => ({ ...present, stage: "handed_in" }));
    line({ type: "complete", leases: [toCompleted(holding, result)], next: null });
  }

  // ---- challenges ----

  /** Whether nothing is in hand, and nothing that was asked for is still to be brought. */
  get done(): boolean {
    return this.hands.empty && this.asked.size === 0;
  }

  /** The coordinator asks for committed states of a lease; the engine is about to give them. */
  challenged(lease: Lease): void {
    this.asked.set(lease.id, lease);
  }

  /** The engine that had committed states is gone. */
  forgetChallenges(): void {
    this.asked.clear();
  }

  /** Upload committed states that were asked for. Without them the unit earns no credit, nothing else. */
  async bringCommitted(leaseId: string, states: readonly Snapshot[]): Promise<void> {
    const lease = this.asked.get(leaseId);
    if (lease === undefined) return;
    for (const state of states) {
      for (let tries = 1; (await this.deliveries.upload(lease, state)) === "failed"; tries++) {
        if (tries === CHALLENGE_TRIES) break;
        await rest(this.ports.clock, RETRY_HAND_IN_MS);
      }
    }
    this.asked.delete(leaseId);
  }

  // ---- giving back ----

  /** Hand one unit back because it cannot be finished here; what there is of it is saved first. */
  async giveUp(id: string, reason: Handback["reason"], detail: string): Promise<void> {
    this.office.givingUp();
    this.hands.lay(id);
    this.hands.update(id, (present) => ({ ...present, stage: "giving_up" }));
    await this.save(id);
    if (this.hands.get(id) === undefined) return;
    if (this.office.line() === null) this.toGiveBack.set(id, { reason, detail });
    else this.handBack([id], reason, detail);
    this.office.changed(`A unit was handed back. ${detail}`);
    this.office.next();
  }

  handBack(ids: readonly string[], reason: Handback["reason"], detail = ""): void {
    const leases = ids.flatMap((id) => {
      const holding = this.hands.get(id);
      return holding === undefined ? [] : [toHandback(holding, reason, detail)];
    });
    if (leases.length > 0) this.office.line()?.({ type: "abort", leases });
    for (const id of ids) this.forget(id);
  }

  /** Hand back at once what waits for its turn. */
  returnQueued(reason: Handback["reason"], which: (holding: Holding) => boolean = () => true): void {
    const queued = this.hands.queued.filter(which);
    this.handBack(queued.map(({ lease }) => lease.id), reason);
  }

  handBackAll(reason: Handback["reason"], detail = ""): void {
    this.handBack(this.hands.all().map(({ lease }) => lease.id), reason, detail);
  }

  /** Let go of a unit, in the engine as well. */
  forget(id: string): void {
    this.ports.engine.post({ type: "drop", leaseId: id });
    this.unanswered.delete(id);
    this.toGiveBack.delete(id);
    this.fetched.delete(id);
    this.hands.forget(id);
  }
}
