/**
 * A donor's whole conversation: `connected(send)`, `received(message)`, `disconnected()` on one side,
 * `heard(event)` from the engine on the other. Knows no Worker, no socket and no page, so that every
 * turn of it can be tested. Training goes on while disconnected.
 */

import type { FromEngine, Snapshot } from "../engine/messages";
import {
  type DonorMessage,
  type CoordinatorMessage,
  type Handback,
  type Heard,
  type Lease,
  PROTOCOL_VERSION,
  type Settled,
  type Welcome,
} from "../protocol/messages";
import { Deliveries, rest } from "./deliveries";
import { advance, hold, type Holding, type Result, toCompleted, toHandback, toProgress } from "./holding";
import type { Ports } from "./ports";
import { penaltyMs, recover } from "./recovery";
import { type DonorOptions, type DonorState, INITIAL_STATE } from "./state";
import { PUT_DOWN, type Standing, view } from "./view";

const HEARTBEAT_AT_MOST_EVERY_MS = 1_000;
const RETRY_HAND_IN_MS = 3_000;
const LAST_UPLOAD_MS = 3_000;
const PROBLEM_WAIT_MS = 10_000;
/** Problems after which this bundle, or this donor, has nothing more to do here. */
const FINAL_PROBLEMS = new Set(["protocol.too_old", "donor.paused"]);

/** What the next `grant`, `wait` or `problem` will answer. */
type Asked = "nothing" | "work";

export class Session {
  private readonly ports: Ports;
  private readonly changed: (state: DonorState) => void;
  private readonly force: DonorOptions["backend"];
  private readonly deliveries: Deliveries;
  private readonly holdings = new Map<string, Holding>();
  private current: string | null = null;
  private send: ((message: DonorMessage) => void) | null = null;
  private welcomed = false;
  private asked: Asked = "nothing";
  private cancelWait: () => void = () => {};
  private heartbeatAtMs = Number.NEGATIVE_INFINITY;
  private engineRestarts = 0;
  private handbacksInARow = 0;
  private askNotBeforeMs = Number.NEGATIVE_INFINITY;
  private paused = false;
  private ending: Standing["ending"] = null;
  private state: DonorState;

  constructor(ports: Ports, options: DonorOptions, changed: (state: DonorState) => void) {
    this.ports = ports;
    this.changed = changed;
    this.force = options.backend;
    this.deliveries = new Deliveries(ports.artifacts, ports.states, ports.clock);
    this.state = { ...INITIAL_STATE, share: options.share ?? 1 };
  }

  // ---- the person ----

  start(): void {
    this.prepareEngine();
    this.show({});
  }

  setShare(share: number): void {
    this.ports.engine.post({ type: "share", share });
    this.show({ share });
  }

  pause(): void {
    this.paused = true;
    this.ports.engine.post({ type: "pause" });
    this.show({});
  }

  resume(): void {
    this.paused = false;
    this.ports.engine.post({ type: "resume" });
    this.show({ message: "" });
    this.workOn();
  }

  finishThenStop(): void {
    this.show({ lastUnit: true });
    if (this.holdings.size === 0) void this.stop();
  }

  /** Save what there is, hand everything back, and end. */
  async stop(): Promise<void> {
    if (this.ending !== null) return;
    const holding = this.holding();
    this.ending = "stopping";
    this.ports.engine.post({ type: "pause" });
    this.show({});
    if (holding?.latest && holding.latest.step > (holding.savedStep ?? -1)) {
      const late = rest(this.ports.clock, LAST_UPLOAD_MS);
      await Promise.race([this.save(holding.lease.id, holding.latest), late]);
    }
    this.handBack([...this.holdings.keys()], "stopped");
    this.end("stopped", "");
  }

  /** The page goes away: gives what a beacon is to say, and forgets its leases. */
  left(): Handback[] {
    const given = [...this.holdings.values()].map((holding) => toHandback(holding, "closing"));
    for (const id of [...this.holdings.keys()]) this.forget(id);
    return given;
  }

  // ---- the coordinator ----

  connected(send: (message: DonorMessage) => void): void {
    this.send = send;
    this.welcomed = false;
    this.asked = "nothing";
    const { backend } = this.state;
    if (backend === null) return;
    void this.deliveries.look().then(() => {
      if (this.send !== send) return;
      send({
        type: "hello",
        protocol: PROTOCOL_VERSION,
        client: this.ports.client,
        donor_key: this.ports.memory.donorKey(),
        backends: [...this.state.backends],
        backend,
        memory_bytes: this.ports.memoryBytes,
        leases: this.tokens(),
        cached: this.deliveries.cached,
      });
    });
  }

  disconnected(): void {
    this.send = null;
    this.welcomed = false;
    this.asked = "nothing";
    this.cancelWait();
    this.show({ connected: false });
  }

  puzzled(): void {
    this.show({ message: "The coordinator said something that this page does not know. Reload the page when convenient." });
  }

  received(message: CoordinatorMessage): void {
    if (this.ending !== null) return;
    switch (message.type) {
      case "welcome":
        return this.onWelcome(message);
      case "grant":
        this.asked = "nothing";
        return this.onGrant(message.leases);
      case "wait":
        this.asked = "nothing";
        // With jitter: a thousand idle tabs must not come back in the same second.
        return this.askLater(1_000 * message.seconds * (0.75 + 0.5 * this.ports.clock.random()));
      case "work":
        if (this.current === null && this.asked === "nothing") this.askLater(300 * this.ports.clock.random());
        return;
      case "heard":
        return this.onHeard(message);
      case "settled":
        return this.onSettled(message);
      case "problem":
        return this.onProblem(message.error.code, message.error.message, message.error.hint ?? "");
    }
  }

  private onWelcome(message: Welcome): void {
    this.welcomed = true;
    this.ports.engine.post({ type: "ticks", everySeconds: message.heartbeat_every_s });
    this.show({ record: message.record, connected: true, message: "" });
    const resumed = new Map(message.resumed.map((lease) => [lease.id, lease]));
    for (const [id, holding] of this.holdings) {
      const lease = resumed.get(id);
      if (lease !== undefined) this.holdings.set(id, { ...holding, lease });
      // A finished unit may still count, so it is handed in all the same.
      else if (holding.result === null) this.release(id, "The unit went to somebody else meanwhile.");
    }
    for (const lease of message.resumed) {
      if (!this.holdings.has(lease.id)) this.holdings.set(lease.id, hold(lease));
    }
    this.rememberTokens();
    const finished = [...this.holdings.values()].filter(({ result }) => result !== null);
    for (const { lease } of finished) void this.handIn(lease.id);
    this.workOn();
  }

  private onGrant(leases: readonly Lease[]): void {
    for (const lease of leases) this.holdings.set(lease.id, hold(lease));
    this.rememberTokens();
    if (this.state.lastUnit && this.current === null) {
      this.handBack(leases.map(({ id }) => id), "stopped");
      void this.stop();
      return;
    }
    this.workOn();
  }

  private onHeard(message: Heard): void {
    for (const [id, reason] of Object.entries(message.stop ?? {})) {
      if (this.holdings.has(id)) this.release(id, PUT_DOWN[reason]);
    }
    this.workOn();
  }

  private onSettled(message: Settled): void {
    let units = this.state.unitsThisSession;
    let text = "";
    for (const { lease_id: id, outcome, error } of message.leases) {
      const holding = this.holdings.get(id);
      if (holding === undefined) continue;
      if (outcome === "accepted") units += 1;
      if (outcome === "refused") text = error?.message ?? "A result was not taken.";
      if (outcome === "accepted" || outcome === "duplicate") this.handbacksInARow = 0;
      void this.ports.states.remove(holding.lease.unit.id);
      this.forget(id);
    }
    this.show({ record: message.record, unitsThisSession: units, message: text });
    if (this.state.lastUnit && this.holdings.size === 0) void this.stop();
    else this.workOn();
  }

  private onProblem(code: string, message: string, hint: string): void {
    const text = `${message} ${hint}`.trim();
    if (FINAL_PROBLEMS.has(code)) {
      this.handBack([...this.holdings.keys()], "stopped");
      this.end("problem", text);
      return;
    }
    this.show({ message: text });
    const unanswered = [...this.holdings.values()].find(({ stage }) => stage === "handed_in");
    if (unanswered !== undefined) this.forget(unanswered.lease.id);
    if (this.asked === "work" || unanswered !== undefined) this.askLater(PROBLEM_WAIT_MS);
    this.asked = "nothing";
  }

  // ---- the engine ----

  heard(event: FromEngine): void {
    if (this.ending !== null) return;
    switch (event.type) {
      case "tick":
        return this.heartbeat();
      case "prepared":
        return this.onPrepared(event);
      case "progress":
        return this.onProgress(event);
      case "snapshot":
        return this.onSnapshot(event.leaseId, event.snapshot);
      case "finished":
        this.update(event.leaseId, (holding) => ({
          ...advance(holding, event.progress),
          stage: "handing_in",
          latest: event.snapshot,
          result: { snapshot: event.snapshot, diverged: event.diverged },
        }));
        if (this.holdings.has(event.leaseId)) void this.handIn(event.leaseId);
        return;
      case "failed":
        return this.onFailed(event);
    }
  }

  /** The Worker itself broke: the same as a unit that failed in it. */
  engineCrashed(message: string): void {
    this.heard({ type: "failed", leaseId: this.current, code: "error", message });
  }

  private onPrepared({ backend, reports }: Extract<FromEngine, { type: "prepared" }>): void {
    if (this.force === undefined) this.ports.memory.rememberMeasurements(reports);
    this.ports.engine.post({ type: "share", share: this.state.share });
    if (this.paused) this.ports.engine.post({ type: "pause" });
    this.show({ backend, backends: reports });
    const holding = this.holding();
    if (holding?.stage === "training") void this.bring(holding.lease.id);
    this.ports.openSocket();
  }

  private onProgress({ leaseId, progress }: Extract<FromEngine, { type: "progress" }>): void {
    const before = this.holdings.get(leaseId)?.progress.epoch;
    this.update(leaseId, (holding) => advance(holding, progress));
    const quiet = this.ports.clock.now() - this.heartbeatAtMs;
    // A finished epoch is told soon: somebody may be watching the curve.
    if (before !== progress.epoch && quiet >= HEARTBEAT_AT_MOST_EVERY_MS) this.heartbeat();
  }

  private onSnapshot(leaseId: string, snapshot: Snapshot): void {
    const holding = this.holdings.get(leaseId);
    if (holding === undefined) return;
    this.update(leaseId, (present) => ({ ...present, latest: snapshot }));
    void this.ports.states.save(holding.lease.unit.id, snapshot);
    if (this.welcomed && this.deliveries.allowed) void this.save(leaseId, snapshot);
  }

  private onFailed({ leaseId, code, message }: Extract<FromEngine, { type: "failed" }>): void {
    const holding = leaseId === null ? undefined : this.holdings.get(leaseId);
    const recovery = recover(code, message, holding?.failures ?? null, this.engineRestarts);
    if (recovery.act === "end") {
      this.handBack([...this.holdings.keys()], "error", message);
      this.end("problem", recovery.message);
      return;
    }
    if (recovery.act === "give_up" && holding !== undefined) {
      void this.giveUp(holding, recovery.reason, message);
      if (!recovery.restart) return;
    } else if (holding !== undefined) {
      this.update(holding.lease.id, (present) => ({ ...present, failures: present.failures + 1 }));
    }
    this.engineRestarts += 1;
    this.ports.engine.restart();
    this.prepareEngine();
    this.show({ message: `Training was interrupted and goes on from its last state. ${message}` });
  }

  private prepareEngine(): void {
    const remembered = this.ports.memory.measurements();
    this.ports.engine.post({ type: "prepare", force: this.force ?? null, remembered });
    this.ports.engine.post({ type: "share", share: this.state.share });
  }

  // ---- one unit ----

  private workOn(): void {
    if (this.current !== null || this.ending !== null) return;
    const next = [...this.holdings.values()].find(({ stage }) => stage === "queued");
    if (next !== undefined) {
      this.current = next.lease.id;
      void this.bring(next.lease.id);
      return;
    }
    // Another request is only in order while nothing is under way.
    if (this.holdings.size === 0 && this.asked === "nothing") this.ask();
  }

  /** Download what a unit needs, and give it to the engine. */
  private async bring(id: string): Promise<void> {
    const holding = this.holdings.get(id);
    if (holding === undefined) return;
    this.update(id, (present) => ({ ...present, stage: "downloading" }));
    try {
      const job = await this.deliveries.job(holding.lease, holding.latest);
      if (!this.holdings.has(id)) return;
      this.update(id, (present) => ({ ...present, stage: "training" }));
      this.ports.engine.post({ type: "train", job });
    } catch (problem) {
      const detail = problem instanceof Error ? problem.message : String(problem);
      await this.giveUp(holding, "error", `What it needs could not be downloaded: ${detail}.`);
    }
  }

  /** Upload a state and name it to the coordinator. A failure costs nothing: a newer state follows. */
  private async save(id: string, snapshot: Snapshot): Promise<void> {
    const holding = this.holdings.get(id);
    if (holding === undefined) return;
    const uploaded = await this.deliveries.upload(holding.lease, snapshot);
    if (uploaded !== "through" || !this.holdings.has(id)) return;
    const { sha256: artifact, epoch, step } = snapshot;
    this.send?.({ type: "checkpoint", leases: [{ lease_id: id, artifact, epoch, step }] });
    const savedAtMs = this.ports.clock.now();
    this.update(id, (present) => ({ ...present, savedStep: step, savedAtMs }));
  }

  /** Upload a result and hand it in; waits for the network as long as it takes. */
  private async handIn(id: string): Promise<void> {
    const { send } = this;
    if (!this.welcomed) return;
    // One loop a connection: the next welcome starts another.
    while (send !== null && this.send === send && this.ending === null) {
      const holding = this.holdings.get(id);
      const result = holding?.result;
      if (holding === undefined || result === null || result === undefined) return;
      const uploaded = await this.deliveries.upload(holding.lease, result.snapshot);
      if (uploaded === "too_large") {
        return this.giveUp(holding, "over_limit", "Its result is larger than the unit allows.");
      }
      // Refused for its lease: the coordinator's answer to the result says why, calmly.
      if (uploaded !== "failed" && this.send === send) return this.complete(id, result);
      await rest(this.ports.clock, RETRY_HAND_IN_MS);
    }
  }

  private complete(id: string, result: Result): void {
    const holding = this.holdings.get(id);
    if (holding === undefined || this.send === null) return;
    const others = [...this.holdings.values()].some(({ stage }) => stage === "queued");
    const more = !others && !this.state.lastUnit && !this.paused;
    if (this.current === id) this.current = null;
    this.update(id, (present) => ({ ...present, stage: "handed_in" }));
    if (more) this.asked = "work";
    this.send({
      type: "complete",
      leases: [toCompleted(holding, result)],
      next: more ? { type: "request", most: 1, cached: this.deliveries.cached } : null,
    });
    this.workOn();
  }

  /** Hand one unit back because it cannot be finished here; what there is of it is saved first. */
  private async giveUp(holding: Holding, reason: Handback["reason"], detail: string): Promise<void> {
    const { id } = holding.lease;
    if (holding.latest !== null && holding.latest.step > (holding.savedStep ?? -1)) {
      await this.save(id, holding.latest);
    }
    this.handBack([id], reason, detail);
    this.show({ message: `A unit was handed back. ${detail}` });
    this.handbacksInARow += 1;
    this.askNotBeforeMs = this.ports.clock.now() + penaltyMs(this.handbacksInARow);
    this.workOn();
  }

  private handBack(ids: readonly string[], reason: Handback["reason"], detail = ""): void {
    const leases = ids.flatMap((id) => {
      const holding = this.holdings.get(id);
      return holding === undefined ? [] : [toHandback(holding, reason, detail)];
    });
    if (leases.length > 0) this.send?.({ type: "abort", leases });
    for (const id of ids) this.forget(id);
  }

  /** Let go of a unit that the coordinator no longer wants from here. */
  private release(id: string, message: string): void {
    this.forget(id);
    this.show({ message });
  }

  private forget(id: string): void {
    this.ports.engine.post({ type: "drop", leaseId: id });
    this.holdings.delete(id);
    if (this.current === id) this.current = null;
    this.rememberTokens();
  }

  // ---- asking and telling ----

  private ask(): void {
    this.cancelWait();
    if (!this.welcomed || this.send === null || this.paused || this.state.lastUnit || this.ending !== null) return;
    const early = this.askNotBeforeMs - this.ports.clock.now();
    if (early > 0) return this.askLater(early);
    this.asked = "work";
    this.send({ type: "request", most: 1, cached: this.deliveries.cached });
    this.show({});
  }

  private askLater(milliseconds: number): void {
    this.cancelWait();
    this.cancelWait = this.ports.clock.later(milliseconds, () => this.workOn());
    this.show({});
  }

  private heartbeat(): void {
    if (!this.welcomed || this.holdings.size === 0) return;
    this.heartbeatAtMs = this.ports.clock.now();
    this.send?.({ type: "heartbeat", leases: [...this.holdings.values()].map(toProgress) });
    this.show({});
  }

  private tokens(): string[] {
    const held = [...this.holdings.values()].map(({ lease }) => lease.token);
    return [...new Set([...held, ...this.ports.memory.tokens()])];
  }

  private rememberTokens(): void {
    this.ports.memory.rememberTokens([...this.holdings.values()].map(({ lease }) => lease.token));
  }

  // ---- what the page sees ----

  private holding(): Holding | undefined {
    const id = this.current ?? [...this.holdings.keys()][0];
    return id === undefined ? undefined : this.holdings.get(id);
  }

  private update(id: string, change: (holding: Holding) => Holding): void {
    const holding = this.holdings.get(id);
    if (holding === undefined) return;
    this.holdings.set(id, change(holding));
    this.show({});
  }

  private end(ending: "stopped" | "problem", message: string): void {
    this.ending = ending;
    this.cancelWait();
    this.ports.closeSocket();
    this.ports.engine.close();
    this.holdings.clear();
    this.current = null;
    this.rememberTokens();
    this.show({ message, connected: false });
  }

  private show(change: Partial<DonorState>): void {
    const { paused, ending } = this;
    const standing = { holding: this.holding(), paused, ending, nowMs: this.ports.clock.now() };
    this.state = view({ ...this.state, ...change }, standing);
    this.changed(this.state);
  }
}
