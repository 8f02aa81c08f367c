/**
 * A donor's whole conversation: `connected(send)`, `received(message)`, `disconnected()` on one side,
 * `heard(event)` from the engine on the other. Knows no Worker, no socket and no page, so that every
 * turn of it can be tested. Training goes on while disconnected.
 */

import type { FromEngine } from "../engine/messages";
import {
  type CoordinatorMessage,
  type Handback,
  type Heard,
  type Lease,
  PROTOCOL_VERSION,
  type Settled,
  type Welcome,
} from "../protocol/messages";
import { rest } from "./deliveries";
import { advance, toHandback, toProgress } from "./holding";
import type { Ports } from "./ports";
import { penaltyMs, recover } from "./recovery";
import { type DonorOptions, type DonorState, INITIAL_STATE } from "./state";
import { PUT_DOWN, type Standing, view } from "./view";
import { type Send, Work } from "./work";

const HEARTBEAT_AT_MOST_EVERY_MS = 1_000;
const LAST_UPLOAD_MS = 3_000;
const PROBLEM_WAIT_MS = 10_000;
/** Problems after which this bundle, or this donor, has nothing more to do here. */
const FINAL_PROBLEMS = new Set(["protocol.too_old", "donor.paused"]);
/** Problems that pass: what was said meets a better moment. */
const MOMENTARY = /^busy\./;

/** What the next `grant`, `wait` or `problem` will answer. */
type Asked = "nothing" | "work";

export class Session {
  private readonly ports: Ports;
  private readonly changed: (state: DonorState) => void;
  private readonly force: DonorOptions["backend"];
  private readonly work: Work;
  private send: Send | null = null;
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
    this.work = new Work(ports, {
      line: () => (this.welcomed ? this.send : null),
      askAlong: () => this.askAlong(),
      changed: (message) => this.show(message === undefined ? {} : { message }),
      next: () => this.workOn(),
      gaveUp: () => this.gaveUp(),
    });
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
    if (this.work.hands.empty) void this.stop();
  }

  /** Save what there is, hand everything back, and end. */
  async stop(): Promise<void> {
    if (this.ending !== null) return;
    this.ending = "stopping";
    this.ports.engine.post({ type: "pause" });
    this.show({});
    const { present } = this.work.hands;
    if (present !== undefined) {
      const late = rest(this.ports.clock, LAST_UPLOAD_MS);
      await Promise.race([this.work.save(present.lease.id), late]);
    }
    this.work.handBackAll("stopped");
    this.end("stopped", "");
  }

  /** The page goes away: gives what a beacon is to say, and forgets its leases. */
  left(): Handback[] {
    const held = this.work.hands.all();
    const given = held.map((holding) => toHandback(holding, "closing"));
    for (const { lease } of held) this.work.forget(lease.id);
    return given;
  }

  // ---- the coordinator ----

  connected(send: Send): void {
    this.send = send;
    this.welcomed = false;
    this.asked = "nothing";
    const { backend } = this.state;
    if (backend === null) return;
    void this.work.deliveries.look().then(() => {
      if (this.send !== send) return;
      send({
        type: "hello",
        protocol: PROTOCOL_VERSION,
        client: this.ports.client,
        donor_key: this.ports.memory.donorKey(),
        backends: [...this.state.backends],
        backend,
        memory_bytes: this.ports.memoryBytes,
        leases: this.work.hands.tokens(),
        cached: this.work.deliveries.cached,
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
        if (!this.work.hands.busy && this.asked === "nothing") this.askLater(300 * this.ports.clock.random());
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
    const resumed = new Set(message.resumed.map(({ id }) => id));
    for (const { lease, result } of this.work.hands.all()) {
      // A finished unit may still count, so it is handed in all the same.
      if (resumed.has(lease.id) || result !== null) continue;
      this.putDown(lease.id, "The unit went to somebody else meanwhile.");
    }
    for (const lease of message.resumed) this.work.hands.add(lease);
    const finished = this.work.hands.all().filter(({ result }) => result !== null);
    for (const { lease } of finished) void this.work.handIn(lease.id);
    this.workOn();
  }

  private onGrant(leases: readonly Lease[]): void {
    for (const lease of leases) this.work.hands.add(lease);
    if (this.state.lastUnit && !this.work.hands.busy) {
      void this.stop();
      return;
    }
    this.workOn();
  }

  private onHeard(message: Heard): void {
    for (const [id, reason] of Object.entries(message.stop ?? {})) {
      if (this.work.hands.get(id) !== undefined) this.putDown(id, PUT_DOWN[reason]);
    }
    this.workOn();
  }

  private onSettled(message: Settled): void {
    let units = this.state.unitsThisSession;
    let text = "";
    for (const { lease_id: id, outcome, error } of message.leases) {
      const holding = this.work.hands.get(id);
      if (holding === undefined) continue;
      if (outcome === "accepted") units += 1;
      if (outcome === "refused") text = error?.message ?? "A result was not taken.";
      if (outcome === "accepted" || outcome === "duplicate") this.handbacksInARow = 0;
      void this.ports.states.remove(holding.lease.unit.id);
      this.ports.engine.post({ type: "settled", leaseId: id });
      this.work.forget(id);
    }
    this.show({ record: message.record, unitsThisSession: units, message: text });
    if (this.state.lastUnit && this.work.hands.empty) void this.stop();
    else this.workOn();
  }

  private onProblem(code: string, message: string, hint: string): void {
    const text = `${message} ${hint}`.trim();
    if (FINAL_PROBLEMS.has(code)) {
      this.work.handBackAll("stopped");
      this.end("problem", text);
      return;
    }
    this.show({ message: text });
    const unanswered = this.work.hands.all().find(({ stage }) => stage === "handed_in");
    if (unanswered !== undefined && MOMENTARY.test(code)) {
      // Too busy to take a result: it stays here and is handed in again, over this line or the next.
      const again = (): void => void this.work.handIn(unanswered.lease.id);
      this.ports.clock.later(PROBLEM_WAIT_MS * (0.5 + this.ports.clock.random()), again);
    } else if (unanswered !== undefined) this.work.forget(unanswered.lease.id);
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
      case "fitted":
        if (event.fit.measured.length > 0) this.ports.memory.rememberKind(event.fit.kind, event.fit.backend);
        return this.show({ backend: event.fit.backend });
      case "progress":
        return this.onProgress(event);
      case "snapshot":
        return this.work.keep(event.leaseId, event.snapshot);
      case "finished":
        this.work.update(event.leaseId, (holding) => ({
          ...advance(holding, event.progress),
          stage: "handing_in",
          latest: event.snapshot,
          result: { snapshot: event.snapshot, diverged: event.diverged, backend: this.state.backend },
        }));
        void this.work.handIn(event.leaseId);
        return;
      case "failed":
        return this.onFailed(event);
    }
  }

  /** The Worker itself broke: the same as a unit that failed in it. */
  engineCrashed(message: string): void {
    this.heard({ type: "failed", leaseId: this.work.hands.present?.lease.id ?? null, code: "error", message });
  }

  private onPrepared({ backend, reports }: Extract<FromEngine, { type: "prepared" }>): void {
    if (this.force === undefined) this.ports.memory.rememberMeasurements(reports);
    this.ports.engine.post({ type: "share", share: this.state.share });
    if (this.paused) this.ports.engine.post({ type: "pause" });
    this.show({ backend, backends: reports });
    const { present } = this.work.hands;
    if (present?.stage === "training") void this.work.bring(present.lease.id);
    this.ports.openSocket();
  }

  private onProgress({ leaseId, progress }: Extract<FromEngine, { type: "progress" }>): void {
    const before = this.work.hands.get(leaseId)?.progress.epoch;
    this.work.update(leaseId, (holding) => advance(holding, progress));
    const quiet = this.ports.clock.now() - this.heartbeatAtMs;
    // A finished epoch is told soon: somebody may be watching the curve.
    if (before !== progress.epoch && quiet >= HEARTBEAT_AT_MOST_EVERY_MS) this.heartbeat();
  }

  private onFailed({ leaseId, code, message }: Extract<FromEngine, { type: "failed" }>): void {
    const holding = leaseId === null ? undefined : this.work.hands.get(leaseId);
    const recovery = recover(code, message, holding?.failures ?? null, this.engineRestarts);
    if (recovery.act === "end") {
      this.work.handBackAll("error", message);
      this.end("problem", recovery.message);
      return;
    }
    if (recovery.act === "give_up" && holding !== undefined) {
      void this.work.giveUp(holding.lease.id, recovery.reason, message);
      if (!recovery.restart) return;
    } else if (holding !== undefined) {
      this.work.update(holding.lease.id, (present) => ({ ...present, failures: present.failures + 1 }));
    }
    this.engineRestarts += 1;
    this.ports.engine.restart();
    this.prepareEngine();
    this.show({ message: `Training was interrupted and goes on from its last state. ${message}` });
  }

  private prepareEngine(): void {
    const remembered = this.ports.memory.measurements();
    const kinds = this.ports.memory.kinds();
    this.ports.engine.post({ type: "prepare", force: this.force ?? null, remembered, kinds });
    this.ports.engine.post({ type: "share", share: this.state.share });
  }

  // ---- asking and telling ----

  private workOn(): void {
    const { hands } = this.work;
    if (hands.busy || this.ending !== null) return;
    const next = hands.queued;
    if (next !== undefined) void this.work.bring(next.lease.id);
    // Another request is only in order while nothing is under way.
    else if (hands.empty && this.asked === "nothing") this.ask();
  }

  private gaveUp(): void {
    this.handbacksInARow += 1;
    this.askNotBeforeMs = this.ports.clock.now() + penaltyMs(this.handbacksInARow);
    this.workOn();
  }

  private askAlong(): boolean {
    if (this.state.lastUnit || this.paused || this.ending !== null) return false;
    this.asked = "work";
    return true;
  }

  /** Let go of a unit that the coordinator no longer wants from here. */
  private putDown(id: string, message: string): void {
    this.work.forget(id);
    this.show({ message });
  }

  private ask(): void {
    this.cancelWait();
    if (!this.welcomed || this.send === null || this.paused || this.state.lastUnit) return;
    const early = this.askNotBeforeMs - this.ports.clock.now();
    if (early > 0) return this.askLater(early);
    this.asked = "work";
    this.send({ type: "request", most: 1, cached: this.work.deliveries.cached });
    this.show({});
  }

  private askLater(milliseconds: number): void {
    this.cancelWait();
    this.cancelWait = this.ports.clock.later(milliseconds, () => this.workOn());
    this.show({});
  }

  private heartbeat(): void {
    if (!this.welcomed || this.work.hands.empty) return;
    this.heartbeatAtMs = this.ports.clock.now();
    this.send?.({ type: "heartbeat", leases: this.work.hands.all().map(toProgress) });
    this.show({});
  }

  // ---- what the page sees ----

  private end(ending: "stopped" | "problem", message: string): void {
    this.ending = ending;
    this.cancelWait();
    this.ports.closeSocket();
    this.ports.engine.close();
    for (const { lease } of this.work.hands.all()) this.work.hands.forget(lease.id);
    this.show({ message, connected: false });
  }

  private show(change: Partial<DonorState>): void {
    const { paused, ending } = this;
    const standing = { holding: this.work.hands.present, paused, ending, nowMs: this.ports.clock.now() };
    this.state = view({ ...this.state, ...change }, standing);
    this.changed(this.state);
  }
}
