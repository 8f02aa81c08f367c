/** The session's world in tests: a clock that the test moves, artifacts in memory, tabs in one room. */

import { expect, vi } from "vitest";
import type { BrowserBackend, FromEngine, Snapshot, ToEngine } from "../../engine/messages";
import { writeCheckpoint } from "../../engine/checkpoint";
import { knownAnswerReference } from "../../engine/reference";
import { Runner } from "../../engine/runner";
import { onlyState } from "../../engine/stacked/examples";
import { openUnit } from "../../engine/stacked/party";
import { ArtifactRefused } from "../../protocol/artifacts";
import type { Challenge, CoordinatorMessage, DonorMessage, DonorRecord, Lease, Unit } from "../../protocol/messages";
import { sha256 } from "../../protocol/sha256";
import type { Ports, TabsPort, TabWord } from "../ports";
import { Session } from "../session";
import type { DonorState } from "../state";

/** Tabs of one browser. */
export class Room {
  private readonly ears = new Map<string, (word: TabWord) => void>();

  join(): TabsPort {
    const name = `tab-${this.ears.size}`;
    this.ears.set(name, () => undefined);
    return {
      name,
      tell: (word) => {
        for (const [other, hear] of this.ears) if (other !== name) hear(word);
      },
      listen: (hear) => void this.ears.set(name, hear),
      close: () => void this.ears.delete(name),
    };
  }
}

const RECORD: DonorRecord = { name: "quiet-otter", units: 0, credit_flops: "0", seconds: 0, best_trials: 0 };
export const REFERENCE = knownAnswerReference();

/** What a unit may take of this device's memory. */
export const ALLOWED_BYTES = 1_000_000;

export class World {
  readonly artifacts = new Map<string, ArrayBuffer>();
  readonly posted: ToEngine[] = [];
  readonly said: DonorMessage[] = [];
  readonly states = new Map<string, Snapshot>();
  tokens: string[] = [];
  kinds: Record<string, BrowserBackend> = {};
  uploads: "through" | "failing" | number = "through";
  downloads: "through" | "failing" = "through";
  /** Hashes in the order in which they were asked for. */
  readonly fetched: string[] = [];
  disk: "free" | "full" = "free";
  restarts = 0;
  reopened = 0;
  /** Versions that the page was to be loaded anew for. */
  readonly reloads: string[] = [];
  server = "test";
  socket: "unopened" | "open" | "closed" = "unopened";
  shown: DonorState | null = null;
  /** What the clock shows; a test may set it as it likes. */
  now = 0;
  /** What timers go by. */
  private elapsed = 0;
  private readonly room: Room;
  private timers: { at: number; act: () => void }[] = [];
  /** With a real engine the session trains; else the test says what the engine says. */
  readonly session: Session;
  private readonly runner: Runner | null;

  constructor(engine: "real" | "scripted", room: Room = new Room()) {
    this.room = room;
    const emit = (event: FromEngine): void => this.session.heard(event);
    const clock = { now: () => performance.now(), rest: () => new Promise<void>((r) => setTimeout(r, 0)) };
    this.runner = engine === "real" ? new Runner(emit, clock) : null;
    this.session = new Session(this.ports(), {}, (state) => (this.shown = state));
  }

  private ports(): Ports {
    return {
      engine: {
        post: (message) => {
          this.posted.push(message);
          if (message.type === "train") void this.runner?.train(message.jobs);
          if (message.type === "settled") this.runner?.settled(message.leaseId, message.asked);
          if (message.type === "drop") this.runner?.drop(message.leaseId);
          if (message.type === "pause") this.runner?.pause();
          if (message.type === "resume") this.runner?.resume();
        },
        restart: () => (this.restarts += 1),
        close: () => undefined,
      },
      artifacts: {
        fetch: async (hash) => {
          this.fetched.push(hash);
          if (this.downloads === "failing") throw new TypeError("network");
          const bytes = this.artifacts.get(hash);
          if (bytes === undefined) throw new ArtifactRefused(404, "not here");
          return bytes;
        },
        upload: async (bytes, hash) => {
          if (this.uploads === "failing") throw new TypeError("network");
          if (typeof this.uploads === "number") throw new ArtifactRefused(this.uploads, "refused");
          this.artifacts.set(hash, bytes);
        },
        cached: async () => [...this.artifacts.keys()],
      },
      states: {
        load: async (unitId) => this.states.get(unitId) ?? null,
        save: async (unitId, snapshot) => {
          if (this.disk === "full") throw new DOMException("no room", "QuotaExceededError");
          this.states.set(unitId, snapshot);
        },
        remove: async (unitId) => void this.states.delete(unitId),
      },
      memory: {
        donorKey: () => "k".repeat(32),
        measurements: () => null,
        rememberMeasurements: () => undefined,
        kinds: () => this.kinds,
        rememberKind: (kind, backend) => (this.kinds[kind] = backend),
        tokens: () => this.tokens,
        rememberTokens: (tokens) => (this.tokens = [...tokens]),
      },
      clock: {
        now: () => this.now,
        later: (milliseconds, act) => {
          const timer = { at: this.elapsed + milliseconds, act };
          this.timers.push(timer);
          return () => (this.timers = this.timers.filter((other) => other !== timer));
        },
        random: () => 0.5,
      },
      tabs: this.room.join(),
      page: {
        reload: (version) => {
          if (this.reloads.includes(version)) return false;
          this.reloads.push(version);
          return true;
        },
      },
      reopenSocket: () => {
        this.reopened += 1;
        this.session.disconnected();
      },
      openSocket: () => (this.socket = "open"),
      closeSocket: () => (this.socket = "closed"),
      client: "test",
      memoryBytes: ALLOWED_BYTES,
    };
  }

  /** Time passes, and every timer that is due acts once. */
  pass(seconds: number): void {
    this.now += 1_000 * seconds;
    this.elapsed += 1_000 * seconds;
    const due = this.timers.filter(({ at }) => at <= this.elapsed);
    this.timers = this.timers.filter(({ at }) => at > this.elapsed);
    for (const { act } of due) act();
  }

  last<T extends DonorMessage["type"]>(type: T): Extract<DonorMessage, { type: T }> | undefined {
    const found = this.said.filter((message) => message.type === type);
    return found.at(-1) as Extract<DonorMessage, { type: T }> | undefined;
  }

  count(type: DonorMessage["type"]): number {
    return this.said.filter((message) => message.type === type).length;
  }

  /** Wait until the session has sent so many messages of a type. */
  async until(type: DonorMessage["type"], times = 1): Promise<void> {
    await vi.waitFor(() => expect(this.count(type)).toBeGreaterThanOrEqual(times), 10_000);
  }

  async trainPosted(times = 1): Promise<Extract<ToEngine, { type: "train" }>> {
    const trains = (): ToEngine[] => this.posted.filter(({ type }) => type === "train");
    await vi.waitFor(() => expect(trains().length).toBe(times));
    return trains().at(-1) as Extract<ToEngine, { type: "train" }>;
  }

  hear(message: CoordinatorMessage): void {
    this.session.received(message);
  }

  async connect(resumed: Lease[] = []): Promise<void> {
    const before = this.count("hello");
    this.session.connected((message) => this.said.push(message));
    await this.until("hello", before + 1);
    this.hear({
      type: "welcome",
      protocol: 1,
      server: this.server,
      donor_id: "d",
      record: RECORD,
      heartbeat_every_s: 15,
      resumed,
    });
  }

  async ready(): Promise<void> {
    this.session.start();
    this.session.heard({
      type: "prepared",
      backend: "cpu",
      reports: [{ backend: "cpu", samples_per_second: 1, right: true, note: "" }],
    });
    await this.connect();
  }

  /** Give a hash under which a state of the reference unit after so many steps is served. */
  async checkpointAt(step: number): Promise<string> {
    const training = await openUnit(REFERENCE.recipe, REFERENCE.bytes);
    while (training.step < step) training.advance();
    const bytes = writeCheckpoint(onlyState(await training.states()));
    training.dispose();
    const hash = await sha256(bytes);
    this.artifacts.set(hash, bytes);
    return hash;
  }

  /** The engine says how far a lease is. */
  progress(id: string, step: number): void {
    const progress = { epoch: Math.floor(step / 3), step, loss: 0.5, samplesPerSecond: 10, commitments: {} };
    this.session.heard({ type: "progress", leaseId: id, progress });
  }

  /** The engine says that a unit is finished. */
  finish(id: string, diverged = false): void {
    const progress = { epoch: 2, step: 6, loss: 0.5, samplesPerSecond: 10, commitments: {} };
    const finished = { type: "finished", leaseId: id, snapshot: snapshot(6), progress, diverged, stacked: false } as const;
    this.session.heard(finished);
  }

  settle(
    id: string,
    outcome: "accepted" | "refused" | "handed_back" = "accepted",
    challenge: Challenge | null = null,
  ): void {
    this.hear({ type: "settled", leases: [{ lease_id: id, outcome, error: null, challenge }], record: RECORD });
  }
}

export async function lease(world: World, id: string, change: Partial<Unit> = {}): Promise<Lease> {
  const { bytes, recipe } = REFERENCE;
  const hashes = await Promise.all([bytes.topology, bytes.checkpoint, bytes.tensors].map(sha256));
  const [topology = "", start = "", tensors = ""] = hashes;
  world.artifacts.set(topology, bytes.topology).set(start, bytes.checkpoint).set(tensors, bytes.tensors);
  const unit: Unit = {
    id: `unit-${id}`,
    kind: "trial",
    study_id: "s",
    study_name: "study",
    submitter: "somebody",
    trial: 0,
    fold: null,
    repeat: 0,
    rung: 0,
    from_epoch: 0,
    to_epoch: 2,
    epochs: 2,
    ...recipe,
    topology,
    start,
    tensors,
    commit_steps: [3, 6],
    flops: "1",
    limits: { seconds: 600, upload_bytes: 1_000_000 },
    ...change,
  };
  return { id, token: `token-${id}`, expires_in_s: 120, unit };
}

export function snapshot(step: number): Snapshot {
  return { bytes: new ArrayBuffer(8), sha256: `${step}`.padStart(64, "0"), epoch: 0, step };
}

export const failed = (leaseId: string | null, code: "error" | "unsupported" | "backend_lost"): FromEngine => ({
  type: "failed",
  leaseId,
  code,
  message: "why",
});
