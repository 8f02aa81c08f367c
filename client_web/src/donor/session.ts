/**
 * A donor's whole conversation: `connected(send)`, `received(message)`, `disconnected()` on one side,
 * `heard(event)` from the engine on the other. Knows no Worker, no socket and no page, so that every
 * turn of it can be tested. Training goes on while disconnected.
 */

import type { EngineFailure, FromEngine, Snapshot } from "../engine/messages";
import { steady } from "../engine/steady";
import {
  type CoordinatorMessage,
  type Handback,
  type Heard,
  type Lease,
  type Settled,
  type Welcome,
} from "../protocol/messages";
import { Agenda } from "./agenda";
import { Companions } from "./companions";
import { rest } from "./deliveries";
import { greeting } from "./greeting";
import { fits } from "./manners";
import { advance, toHandback, toProgress } from "./holding";
import { Line, type Send } from "./line";
import { Mishaps } from "./mishaps";
import type { Ports } from "./ports";
import { FINAL_PROBLEMS, MOMENTARY, TOO_OLD } from "./recovery";
import { type DonorOptions, type DonorState, INITIAL_STATE } from "./state";
import { type Standing, view } from "./view";
import { Watchdog } from "./watchdog";
import { interrupted, PUT_DOWN, PUZZLED, SILENT_ENGINE, WENT_ELSEWHERE } from "./words";
import { Work } from "./work";

const HEARTBEAT_AT_MOST_EVERY_MS = 1_000;
const LAST_UPLOAD_MS = 3_000;
const RELEASED = "After so long a pause the unit was saved and handed back; others go on with it.";
const PROBLEM_WAIT_MS = 10_000;

export class Session {
  private readonly ports: Ports;
  private readonly changed: (state: DonorState) => void;
  private readonly force: DonorOptions["backend"];
  private readonly work: Work;
  private readonly line: Line;
  private readonly agenda: Agenda;
  private readonly mishaps: Mishaps;
  private readonly watchdog: Watchdog;
  private readonly companions: Companions;
  private heartbeatAtMs = Number.NEGATIVE_INFINITY;
  private paused = false;
  private away = false;
  private ending: Standing["ending"] = null;
  private sharePosted: number | null = null;
  /** How often the coordinator wants to hear of leases; null before it said so. */
  private tickSeconds: number | null = null;
  private state: DonorState;

  constructor(ports: Ports, options: DonorOptions, changed: (state: DonorState) => void) {
    const clock = { ...ports.clock, now: steady(ports.clock.now) };
    this.ports = { ...ports, clock };
    this.changed = changed;
    this.force = options.backend;
    this.state = { ...INITIAL_STATE, share: options.share ?? 1 };
    this.work = new Work(this.ports, {
      line: () => this.line.say,
      changed: (message) => this.show(message === undefined ? {} : { message }),
      begun: () => {
        if (!this.paused) this.watchdog.watch();
      },
      givingUp: () => this.agenda.asking.failed(),
      next: () => this.agenda.workOn(),
    });
    this.line = new Line(clock, () => ports.reopenSocket());
    this.agenda = new Agenda(this.work, this.line, this.ports, {
      ended: () => this.ending !== null || this.away,
      paused: () => this.paused,
      lastUnit: () => this.state.lastUnit,
      tell: (message) => this.show(message === undefined ? {} : { message }),
    });
    this.watchdog = new Watchdog(clock, () => this.engineCrashed(SILENT_ENGINE));
    this.companions = new Companions(ports.tabs, clock, () => this.divide());
    this.mishaps = new Mishaps(this.work, {
      restartEngine: (code, message) => this.restartEngine(code, message),
      end: (message) => {
        this.work.handBackAll("error", message);
        this.end("problem", message);
      },
    });
  }

  // ---- the person ----

  start(): void {
    this.companions.tell(false, []);
    this.prepareEngine();
    this.show({});
  }

  setShare(share: number): void {
    this.show({ share });
    this.divide();
  }

  pause(): void {
    this.paused = true;
    this.ports.engine.post({ type: "pause" });
    this.watchdog.rest();
    this.work.returnQueued("paused");
    this.show({});
  }

  resume(): void {
    this.paused = false;
    this.ports.engine.post({ type: "resume" });
    if (this.work.hands.busy) this.watchdog.watch();
    this.show({ message: "" });
    this.agenda.workOn();
  }

  /** Paused for long: save what there is and hand it back, so that others can go on with it. */
  async release(): Promise<void> {
    const held = this.work.hands.all().filter(({ result }) => result === null);
    const ids = held.map(({ lease }) => lease.id);
    const saved = Promise.all(ids.map((id) => this.work.save(id)));
    await Promise.race([saved, rest(this.ports.clock, LAST_UPLOAD_MS)]);
    // Gone on or ended meanwhile; without a line the leases expire by themselves.
    if (!this.paused || this.ending !== null || ids.length === 0) return;
    this.work.handBack(ids, "paused");
    this.show({ message: RELEASED });
  }

  finishThenStop(): void {
    this.show({ lastUnit: true });
    if (this.work.hands.busy) this.work.returnQueued("stopped");
    this.stopIfDone();
  }

  /** Save what there is, hand everything back, and end. */
  async stop(): Promise<void> {
    if (this.ending !== null) return;
    this.ending = "stopping";
    this.ports.engine.post({ type: "pause" });
    this.work.returnQueued("stopped");
    this.show({});
    const saved = this.work.hands.group.map(({ lease }) => this.work.save(lease.id));
    const quiet = this.agenda.asking.quiet();
    await Promise.race([Promise.all([...saved, quiet]), rest(this.ports.clock, LAST_UPLOAD_MS)]);
    this.work.handBackAll("stopped");
    this.end("stopped", "");
  }

  /** The page goes away: gives what a beacon is to say, forgets its leases, and asks for no more. */
  left(): Handback[] {
    this.away = true;
    const held = this.work.hands.all();
    const given = held.map((holding) => toHandback(holding, "closing"));
    for (const { lease } of held) this.work.forget(lease.id);
    this.companions.leave();
    return given;
  }

  /** The page came back from the browser's memory of pages. */
  cameBack(): void {
    this.away = false;
    this.agenda.workOn();
  }

  // ---- the coordinator ----

  connected(send: Send): void {
    this.line.opened(send);
    this.agenda.asking.reset();
    if (this.state.backend === null) return;
    void this.work.deliveries.look().then(() => {
      if (!this.line.isOpen(send)) return;
      const tokens = this.work.hands.tokens(this.companions.tokens);
      const hello = greeting(this.ports, this.state, tokens, this.work.deliveries.cached);
      if (hello !== null) this.line.hello(hello);
    });
  }

  disconnected(): void {
    this.line.closed();
    this.agenda.asking.reset();
    this.show({ connected: false });
  }

  puzzled(): void {
    this.line.answered();
    this.show({ message: PUZZLED });
  }

  received(message: CoordinatorMessage): void {
    this.line.answered();
    if (this.ending !== null) return this.tooLate(message);
    switch (message.type) {
      case "welcome":
        return this.onWelcome(message);
      case "grant":
        this.agenda.asking.answered();
        return this.onGrant(message.leases);
      case "wait":
        return this.agenda.asking.wait(message.seconds);
      case "work":
        if (!this.agenda.asking.outstanding) this.agenda.asking.later(300 * this.ports.clock.random());
        return;
      case "heard":
        return this.onHeard(message);
      case "settled":
        return this.onSettled(message);
      case "problem":
        return this.onProblem(message.error.code, message.error.message, message.error.hint ?? "");
    }
  }

  /** What was asked for before the end goes straight back. */
  private tooLate(message: CoordinatorMessage): void {
    if (message.type === "grant") {
      for (const lease of message.leases) this.work.hands.add(lease);
      this.work.returnQueued("stopped");
    }
    if (["grant", "wait", "problem"].includes(message.type)) this.agenda.asking.answered();
  }

  private onWelcome(message: Welcome): void {
    this.line.welcomed();
    this.tickSeconds = message.heartbeat_every_s;
    this.tick();
    this.agenda.served(message.server);
    this.show({ record: message.record, connected: true, message: "" });
    const resumed = new Set(message.resumed.map(({ id }) => id));
    for (const { lease, result } of this.work.hands.all()) {
      // A finished unit may still count, so it is handed in all the same.
      if (!resumed.has(lease.id) && result === null) this.putDown(lease.id, WENT_ELSEWHERE);
    }
    for (const lease of message.resumed) this.work.hands.add(lease);
    this.work.tellAgain();
    this.agenda.workOn();
  }

  private onGrant(leases: readonly Lease[]): void {
    for (const lease of leases) this.work.hands.add(lease);
    this.refuseTooLarge(leases);
    if (this.paused) this.work.returnQueued("paused");
    if (this.state.lastUnit) {
      if (this.work.hands.busy) this.work.returnQueued("stopped");
      else void this.stop();
      return;
    }
    this.agenda.granted();
  }

  /** Hand back what this device does not allow, should it be offered all the same. */
  private refuseTooLarge(leases: readonly Lease[]): void {
    const allowed = this.ports.memoryBytes;
    const large = leases.filter(({ unit }) => !fits(unit.memory_bytes, allowed)).map(({ id }) => id);
    if (large.length === 0) return;
    this.work.handBack(large, "over_limit", `It takes more than the ${allowed} bytes of memory that are allowed here.`);
    this.agenda.asking.failed();
  }

  private onHeard(message: Heard): void {
    for (const [id, reason] of Object.entries(message.stop ?? {})) {
      if (this.work.hands.get(id) !== undefined) this.putDown(id, PUT_DOWN[reason]);
    }
    this.agenda.workOn();
  }

  private onSettled(message: Settled): void {
    let units = this.state.unitsThisSession;
    let text = "";
    for (const { lease_id: id, outcome, error, challenge } of message.leases) {
      const holding = this.work.hands.get(id);
      if (holding === undefined) continue;
      if (outcome === "accepted" && holding.lease.unit.kind !== "check") units += 1;
      if (outcome === "refused") text = error?.message ?? "A result was not taken.";
      if (outcome === "accepted" || outcome === "duplicate") this.agenda.asking.succeeded();
      void this.ports.states.remove(holding.lease.unit.id);
      const asked = challenge?.states ?? [];
      if (asked.length > 0) this.work.challenged(holding.lease);
      this.ports.engine.post({ type: "settled", leaseId: id, asked });
      this.forget(id);
    }
    this.show({ record: message.record, unitsThisSession: units, message: text });
    if (!this.stopIfDone()) this.agenda.workOn();
  }

  private stopIfDone(): boolean {
    const over = this.state.lastUnit && this.work.done;
    if (over && this.ending === null) void this.stop();
    return over;
  }

  private async onCommitted(leaseId: string, states: readonly Snapshot[]): Promise<void> {
    await this.work.bringCommitted(leaseId, states);
    this.stopIfDone();
  }

  private onProblem(code: string, message: string, hint: string): void {
    const text = `${message} ${hint}`.trim();
    if (code === TOO_OLD && this.ports.page.reload(TOO_OLD)) return;
    if (FINAL_PROBLEMS.has(code)) {
      this.work.handBackAll("stopped");
      this.end("problem", text);
      return;
    }
    this.show({ message: text });
    const unanswered = this.work.takeUnanswered();
    if (unanswered !== undefined && MOMENTARY.test(code)) {
      // Too busy to take a result: it stays here and is handed in again, over this line or the next.
      const again = (): void => void this.work.handIn(unanswered);
      this.ports.clock.later(PROBLEM_WAIT_MS * (0.5 + this.ports.clock.random()), again);
    } else if (unanswered !== undefined) this.forget(unanswered);
    if (this.agenda.asking.outstanding || unanswered !== undefined) this.agenda.asking.later(PROBLEM_WAIT_MS);
    this.agenda.asking.answered();
  }

  // ---- the engine ----

  heard(event: FromEngine): void {
    if (this.ending !== null) return;
    switch (event.type) {
      case "alive":
        return;
      case "tick":
        return this.onTick();
      case "committed":
        return void this.onCommitted(event.leaseId, event.states);
      case "prepared":
        return this.onPrepared(event);
      case "fitted":
        if (event.fit.measured.length > 0) this.ports.memory.rememberKind(event.fit.kind, event.fit.backend);
        return this.show({ backend: event.fit.backend });
      case "progress":
        return this.onProgress(event);
      case "snapshot":
        this.watchdog.heard();
        return this.work.keep(event.leaseId, event.snapshot);
      case "finished":
        return this.onFinished(event);
      case "failed":
        return this.mishaps.failed(event.leaseId, event.code, event.message);
    }
  }

  /** The Worker itself broke, with all that was trained in it. */
  engineCrashed(message: string): void {
    this.heard({ type: "failed", leaseId: null, code: "error", message });
  }

  private onTick(): void {
    this.line.look();
    this.companions.tell(this.working, this.work.hands.ownTokens());
    this.divide();
    this.heartbeat();
  }

  private onPrepared({ backend, reports }: Extract<FromEngine, { type: "prepared" }>): void {
    if (this.force === undefined) this.ports.memory.rememberMeasurements(reports);
    if (!this.work.hands.busy) this.watchdog.rest();
    this.show({ backend, backends: reports });
    this.ports.openSocket();
  }

  private onProgress({ leaseId, progress }: Extract<FromEngine, { type: "progress" }>): void {
    this.watchdog.heard();
    const before = this.work.hands.get(leaseId)?.progress.epoch;
    if (before !== undefined) this.agenda.estimate.reached(leaseId, progress.step, this.ports.clock.now());
    this.work.update(leaseId, (holding) => advance(holding, progress));
    const quiet = this.ports.clock.now() - this.heartbeatAtMs;
    // A finished epoch is told soon: somebody may be watching the curve.
    if (before !== progress.epoch && quiet >= HEARTBEAT_AT_MOST_EVERY_MS) this.heartbeat();
    this.agenda.workOn();
  }

  private onFinished({ leaseId, progress, ...result }: Extract<FromEngine, { type: "finished" }>): void {
    this.watchdog.heard();
    this.work.update(leaseId, (holding) => advance(holding, progress));
    this.work.finish(leaseId, { ...result, backend: this.state.backend });
    this.mishaps.forgive();
    this.agenda.estimate.forget(leaseId);
    if (!this.work.hands.busy) this.watchdog.rest();
    // The engine goes on at once, whatever the network does with the result.
    this.agenda.workOn();
  }

  private restartEngine(code: EngineFailure, message: string): void {
    this.ports.engine.restart();
    this.work.forgetChallenges();
    if (this.stopIfDone()) return;
    this.prepareEngine();
    this.show({ message: interrupted(code, message) });
    this.agenda.workOn();
  }

  private prepareEngine(): void {
    const remembered = this.ports.memory.measurements();
    const kinds = this.ports.memory.kinds();
    this.ports.engine.post({ type: "prepare", force: this.force ?? null, remembered, kinds });
    this.tick();
    this.sharePosted = null;
    this.divide();
    if (this.paused) this.ports.engine.post({ type: "pause" });
    this.watchdog.watch();
  }

  /** Timers of hidden pages sleep: the Worker says when to tell of leases. */
  private tick(): void {
    if (this.tickSeconds !== null) this.ports.engine.post({ type: "ticks", everySeconds: this.tickSeconds });
  }

  /** The tabs of this browser divide the share that its owner gave. */
  private divide(): void {
    const tabs = this.companions.dividers;
    if (tabs !== this.state.tabs) this.show({ tabs });
    const share = this.state.share / tabs;
    if (share !== this.sharePosted) this.ports.engine.post({ type: "share", share });
    this.sharePosted = share;
  }

  /** Let go of a unit that the coordinator no longer wants from here. */
  private putDown(id: string, message: string): void {
    this.forget(id);
    this.show({ message });
  }

  private forget(id: string): void {
    this.agenda.estimate.forget(id);
    this.work.forget(id);
    if (!this.work.hands.busy) this.watchdog.rest();
  }

  private heartbeat(): void {
    if (this.line.say === null || this.work.hands.empty) return;
    this.heartbeatAtMs = this.ports.clock.now();
    this.line.say({ type: "heartbeat", leases: this.work.hands.all().map(toProgress) });
    this.show({});
  }

  private get working(): boolean {
    return this.work.hands.busy && !this.paused && this.ending === null;
  }

  // ---- what the page sees ----

  private end(ending: "stopped" | "problem", message: string): void {
    this.ending = ending;
    this.agenda.asking.reset();
    this.watchdog.rest();
    this.line.closed();
    this.ports.closeSocket();
    this.ports.engine.close();
    for (const { lease } of this.work.hands.all()) this.work.hands.forget(lease.id);
    this.companions.leave();
    this.ports.tabs.close();
    this.show({ message, connected: false });
  }

  private show(change: Partial<DonorState>): void {
    const { paused, ending } = this;
    const { hands } = this.work;
    const together = hands.group.length;
    const nowMs = this.ports.clock.now();
    this.state = view({ ...this.state, ...change }, { holding: hands.present, together, paused, ending, nowMs });
    this.companions.tellChange(this.working, hands.ownTokens());
    this.changed(this.state);
  }
}
