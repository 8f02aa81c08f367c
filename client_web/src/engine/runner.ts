/**
 * Runs units, together where they can be and else one after another: slices of batches, rests between them,
 * snapshots, commitments. Knows no Worker: it is told the time and how to rest, and says what happens
 * through `emit`, unit by unit.
 */

import { getBackend } from "@tensorflow/tfjs-core";
import { sha256 } from "../protocol/sha256";
import { Cadence } from "./cadence";
import { isFinite, readCheckpoint, writeCheckpoint } from "./checkpoint";
import { Unsupported } from "./layers/guard";
import type { EngineFailure, EngineProgress, FromEngine, Job, Snapshot } from "./messages";
import { Pace } from "./pace";
import { atOneStep, narrowed, openAlone, openTogether, type Party } from "./stacked/party";

export interface Clock {
  /** Milliseconds from any fixed moment. */
  readonly now: () => number;
  /** Rest; with 0, only let messages be heard. */
  readonly rest: (milliseconds: number) => Promise<void>;
}

const PROGRESS_EVERY_MS = 250;

/** What is known of one unit in hand beside its weights. */
interface Course {
  readonly job: Job;
  /** Its place in the party. */
  index: number;
  readonly commitments: Map<number, string>;
  readonly startedAtStep: number;
  /** Whether all weights of the last snapshot were numbers. */
  finite: boolean;
  lastLoss: number | null;
  latest: Snapshot | null;
}

/** The units in hand, which share their steps. */
interface Journey {
  party: Party;
  /** Whether they set out together: what one of them becomes, the others may have part in. */
  readonly stacked: boolean;
  /** Those that go on: none that was dropped, or ended early. */
  courses: readonly Course[];
  readonly cadence: Cadence;
  activeMs: number;
  saidAt: number;
}

export class Runner {
  private readonly emit: (event: FromEngine) => void;
  private readonly clock: Clock;
  private readonly isLost: () => boolean;
  private readonly pace: Pace;
  private readonly fit: (job: Job) => Promise<void>;
  private readonly dropped = new Set<string>();
  /** Committed states of each lease, kept until the unit is settled. */
  private readonly committed = new Map<string, Map<number, Snapshot>>();
  private queue: Promise<void> = Promise.resolve();
  private paused: Promise<void> | null = null;
  private unpause: () => void = () => {};

  /**
   * `isLost` says whether the GPU was taken away; what was read since is not to be trusted. `fit` makes the
   * backend that suits a unit the present one, before it is opened.
   */
  constructor(
    emit: (event: FromEngine) => void,
    clock: Clock,
    isLost: () => boolean = () => false,
    fit: (job: Job) => Promise<void> = () => Promise.resolve(),
  ) {
    this.emit = emit;
    this.clock = clock;
    this.isLost = isLost;
    this.pace = new Pace(1, clock.now);
    this.fit = fit;
  }

  /** Train units when those before them are done. Everything that happens is emitted, errors too. */
  train(jobs: readonly Job[]): Promise<void> {
    for (const job of jobs) this.dropped.delete(job.leaseId);
    this.queue = this.queue.then(() => this.run(jobs));
    return this.queue;
  }

  drop(leaseId: string): void {
    this.dropped.add(leaseId);
    this.committed.delete(leaseId);
  }

  /** Forget a lease's committed states, and give those with the hashes that are asked for. */
  settled(leaseId: string, asked: readonly string[]): void {
    const states = [...this.states(leaseId).values()].filter(({ sha256 }) => asked.includes(sha256));
    this.committed.delete(leaseId);
    if (asked.length > 0) this.emit({ type: "committed", leaseId, states });
  }

  /** Committed states of a lease that is not settled yet, by step. */
  states(leaseId: string): ReadonlyMap<number, Snapshot> {
    return this.committed.get(leaseId) ?? new Map();
  }

  setShare(share: number): void {
    this.pace.setShare(share);
  }

  pause(): void {
    this.paused ??= new Promise((resolve) => {
      this.unpause = resolve;
    });
  }

  resume(): void {
    this.paused = null;
    this.unpause();
  }

  private async run(jobs: readonly Job[]): Promise<void> {
    for (const group of atOneStep(jobs)) {
      const wanted = group.filter(({ leaseId }) => !this.dropped.has(leaseId));
      const party = wanted.length > 1 ? await this.together(wanted) : null;
      if (party !== null) await this.travel(wanted, () => Promise.resolve(party));
      else for (const job of wanted) await this.travel([job], () => this.alone(job));
    }
  }

  /** Open units as one graph on the backend that suits them; null where they cannot be. */
  private async together(jobs: readonly Job[]): Promise<Party | null> {
    try {
      return await this.opened(jobs, () => openTogether(jobs));
    } catch {
      return null; // Alone each says what is wrong.
    }
  }

  private alone(job: Job): Promise<Party> {
    return this.opened([job], () => openAlone(job));
  }

  /** Open units on the backend that suits the first of them: all of it is work. */
  private async opened<T>(jobs: readonly Job[], open: () => Promise<T>): Promise<T> {
    const begun = this.clock.now();
    for (const job of jobs.slice(0, 1)) await this.fit(job);
    this.pace.slices.open(getBackend());
    const found = await open();
    this.pace.worked(this.clock.now() - begun);
    return found;
  }

  private async travel(jobs: readonly Job[], open: () => Promise<Party>): Promise<void> {
    let left = jobs.filter(({ leaseId }) => !this.dropped.has(leaseId));
    if (left.length === 0) return;
    let journey: Journey | null = null;
    try {
      const party = await open();
      const { stacked, step: startedAtStep } = party;
      const courses = jobs.map((job, index) => {
        const own = { job, index, startedAtStep, finite: true, latest: null, lastLoss: resumedLoss(job) };
        return { ...own, commitments: new Map<number, string>() };
      });
      const cadence = new Cadence(this.clock.now());
      journey = { party, stacked, courses, cadence, activeMs: 0, saidAt: Number.NEGATIVE_INFINITY };
      await this.follow(journey, (ended) => (left = left.filter((job) => job !== ended)));
    } catch (problem) {
      const failed: EngineFailure = problem instanceof Unsupported ? "unsupported" : "error";
      const code = this.isLost() ? "backend_lost" : failed;
      const message = problem instanceof Error ? problem.message : String(problem);
      for (const { leaseId } of left) {
        if (!this.dropped.has(leaseId)) this.emit({ type: "failed", leaseId, code, message });
      }
    } finally {
      journey?.party.dispose();
      for (const { leaseId } of jobs) this.dropped.delete(leaseId);
    }
  }

  /** Train until the end; `over` hears of each unit that nothing more is to be said of. */
  private async follow(journey: Journey, over: (job: Job) => void): Promise<void> {
    const { cadence } = journey;
    const unit = journey.courses[0]?.job.unit;
    if (unit === undefined) return;
    const end = unit.to_epoch * unit.steps_per_epoch;
    const leave = (course: Course): void => {
      journey.courses = journey.courses.filter((other) => other !== course);
      over(course.job);
    };
    while (journey.party.step < end) {
      const losses = await this.slice(journey, unit, end);
      const { party } = journey;
      const inParty = journey.courses.length;
      for (const course of journey.courses) if (this.dropped.has(course.job.leaseId)) leave(course);
      if (journey.courses.length === 0) return;
      const broken = (course: Course): boolean => !Number.isFinite(losses[course.index]);
      for (const course of journey.courses) {
        if (party.step % unit.steps_per_epoch === 0 && !broken(course)) course.lastLoss = losses[course.index] ?? null;
      }
      const atCommit = unit.commit_steps.includes(party.step);
      const due = atCommit || party.step === end || cadence.due(this.clock.now());
      if (due || journey.courses.some(broken)) {
        await this.snapshot(journey, atCommit);
        for (const course of journey.courses) {
          // Some backends clip NaN away on its way to the loss; the weights keep it.
          if (broken(course) || !course.finite) {
            this.finish(journey, course, true);
            leave(course);
          } else if (party.step < end) this.tell(course);
        }
      }
      this.say(journey, unit);
      for (const course of journey.courses) {
        const { leaseId, unit: own } = course.job;
        if (journey.activeMs <= 1_000 * own.limits.seconds || party.step >= end) continue;
        const message = `The unit took longer than its ${own.limits.seconds} seconds.`;
        this.emit({ type: "failed", leaseId, code: "over_limit", message });
        leave(course);
      }
      if (journey.courses.length === 0) return;
      if (journey.courses.length < inParty && party.step < end) await this.narrow(journey);
      if (this.paused !== null) await this.waitWhilePaused(journey);
    }
    if (journey.courses.some(({ latest }) => latest === null)) await this.snapshot(journey, true);
    for (const course of journey.courses) this.finish(journey, course, false);
  }

  /** Go on without the units that left. */
  private async narrow(journey: Journey): Promise<void> {
    const begun = this.clock.now();
    journey.party = await narrowed(journey.party, journey.courses);
    journey.courses.forEach((course, index) => (course.index = index));
    this.pace.worked(this.clock.now() - begun);
  }

  /** Train some batches, wait for them, rest; gives each unit's mean loss of the epoch in hand. */
  private async slice(journey: Journey, unit: Job["unit"], end: number): Promise<readonly number[]> {
    const { party } = journey;
    const { commit_steps: commits, steps_per_epoch: steps } = unit;
    const from = party.step;
    const stops = [end, (party.epoch + 1) * steps, ...commits.filter((step) => step > from)];
    const until = Math.min(from + this.pace.slices.batches, ...stops);
    const begun = this.clock.now();
    while (party.step < until) party.advance();
    const losses = await party.losses();
    if (this.isLost()) throw new Error("The GPU was taken away.");
    const busyMs = this.clock.now() - begun;
    this.pace.slices.took(until - from, busyMs);
    this.pace.worked(busyMs);
    await this.rest(journey);
    journey.activeMs += this.clock.now() - begun;
    return losses;
  }

  /** Hear messages, and keep to the share. */
  private async rest({ courses }: Journey): Promise<void> {
    const begun = this.clock.now();
    await this.clock.rest(0);
    // What messages ask for is work too.
    this.pace.worked(this.clock.now() - begun);
    while (this.paused === null && courses.some(({ job }) => !this.dropped.has(job.leaseId))) {
      const milliseconds = this.pace.restMs();
      if (milliseconds === 0) return;
      await this.clock.rest(milliseconds);
    }
  }

  /** Take every unit's snapshot. */
  private async snapshot({ party, courses, cadence }: Journey, atCommit: boolean): Promise<void> {
    const begun = this.clock.now();
    const states = await party.states();
    if (this.isLost()) throw new Error("The GPU was taken away.");
    for (const course of courses) {
      const state = states[course.index];
      if (state === undefined) throw new Error("a unit has no state");
      const bytes = writeCheckpoint(state);
      course.finite = isFinite(state);
      course.latest = { bytes, sha256: await sha256(bytes), epoch: party.epoch, step: party.step };
      if (!atCommit) continue;
      course.commitments.set(party.step, course.latest.sha256);
      const { leaseId } = course.job;
      const kept = this.committed.get(leaseId) ?? new Map<number, Snapshot>();
      this.committed.set(leaseId, kept.set(party.step, course.latest));
    }
    const done = this.clock.now();
    cadence.taken(begun, done);
    this.pace.worked(done - begun);
  }

  private tell({ job, latest }: Course): void {
    if (latest !== null) this.emit({ type: "snapshot", leaseId: job.leaseId, snapshot: latest });
  }

  /** A pause may end with the tab, so it starts with a snapshot. */
  private async waitWhilePaused(journey: Journey): Promise<void> {
    await this.snapshot(journey, false);
    journey.courses.forEach((course) => this.tell(course));
    const all = (): boolean => journey.courses.every(({ job }) => this.dropped.has(job.leaseId));
    while (this.paused !== null && !all()) {
      await Promise.race([this.paused, this.clock.rest(PROGRESS_EVERY_MS)]);
    }
  }

  private progress({ party, activeMs }: Journey, course: Course): EngineProgress {
    const samples = (party.step - course.startedAtStep) * course.job.unit.batch_size;
    return {
      epoch: party.epoch,
      step: party.step,
      loss: course.lastLoss,
      samplesPerSecond: activeMs > 0 ? (1_000 * samples) / activeMs : null,
      commitments: Object.fromEntries(course.commitments),
    };
  }

  private say(journey: Journey, unit: Job["unit"]): void {
    const now = this.clock.now();
    const epochEnded = journey.party.step % unit.steps_per_epoch === 0;
    if (!epochEnded && now - journey.saidAt < PROGRESS_EVERY_MS) return;
    journey.saidAt = now;
    for (const course of journey.courses) {
      const { leaseId } = course.job;
      this.emit({ type: "progress", leaseId, progress: this.progress(journey, course) });
    }
  }

  private finish(journey: Journey, course: Course, diverged: boolean): void {
    const { leaseId } = course.job;
    if (course.latest === null) throw new Error("a unit has no last state");
    const [progress, { stacked }] = [this.progress(journey, course), journey];
    this.emit({ type: "finished", leaseId, snapshot: course.latest, progress, diverged, stacked });
  }
}

/** The finished epoch's mean loss that a checkpoint between two epochs carries. */
function resumedLoss(job: Job): number | null {
  const { epoch, step, lossSum, lossRows } = readCheckpoint(job.resume ?? job.start);
  const whole = step > 0 && step === epoch * job.unit.steps_per_epoch;
  return whole && lossRows === job.unit.rows ? lossSum / lossRows : null;
}
