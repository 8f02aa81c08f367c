/**
 * Runs one unit after another: slices of batches, rests between them, snapshots, commitments. Knows no
 * Worker: it is told the time and how to rest, and says what happens through `emit`.
 */

import { sha256 } from "../protocol/sha256";
import { Cadence } from "./cadence";
import { isFinite, readCheckpoint, writeCheckpoint } from "./checkpoint";
import { Unsupported } from "./layers/guard";
import type { EngineFailure, EngineProgress, FromEngine, Job, Snapshot } from "./messages";
import { Pace } from "./pace";
import { Training } from "./training";

export interface Clock {
  /** Milliseconds from any fixed moment. */
  readonly now: () => number;
  /** Rest; with 0, only let messages be heard. */
  readonly rest: (milliseconds: number) => Promise<void>;
}

const PROGRESS_EVERY_MS = 250;

/** What is known of the unit in hand beside its weights. */
interface Course {
  readonly job: Job;
  readonly training: Training;
  readonly cadence: Cadence;
  readonly commitments: Map<number, string>;
  readonly startedAtStep: number;
  /** Whether all weights of the last snapshot were numbers. */
  finite: boolean;
  activeMs: number;
  lastLoss: number | null;
  saidAt: number;
}

export class Runner {
  private readonly emit: (event: FromEngine) => void;
  private readonly clock: Clock;
  private readonly isLost: () => boolean;
  private readonly fit: (job: Job) => Promise<void>;
  private readonly pace = new Pace(1);
  private readonly dropped = new Set<string>();
  /** Committed states of each lease, kept until the unit is settled. */
  private readonly committed = new Map<string, Map<number, ArrayBuffer>>();
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
    this.fit = fit;
  }

  /** Train a unit when those before it are done. Everything that happens is emitted, errors too. */
  train(job: Job): Promise<void> {
    this.dropped.delete(job.leaseId);
    this.queue = this.queue.then(() => this.run(job));
    return this.queue;
  }

  drop(leaseId: string): void {
    this.dropped.add(leaseId);
    this.committed.delete(leaseId);
  }

  settled(leaseId: string): void {
    this.committed.delete(leaseId);
  }

  /** Committed states of a lease that is not settled yet, by step. */
  states(leaseId: string): ReadonlyMap<number, ArrayBuffer> {
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

  private async run(job: Job): Promise<void> {
    if (this.dropped.has(job.leaseId)) return;
    let training: Training | null = null;
    try {
      await this.fit(job);
      const { topology, start, tensors, resume } = job;
      training = await Training.open(job.unit, { topology, checkpoint: resume ?? start, tensors });
      await this.follow({
        job,
        training,
        cadence: new Cadence(this.clock.now()),
        commitments: new Map(),
        startedAtStep: training.step,
        finite: true,
        activeMs: 0,
        lastLoss: resumedLoss(job),
        saidAt: Number.NEGATIVE_INFINITY,
      });
    } catch (problem) {
      const failed: EngineFailure = problem instanceof Unsupported ? "unsupported" : "error";
      const code = this.isLost() ? "backend_lost" : failed;
      const message = problem instanceof Error ? problem.message : String(problem);
      this.emit({ type: "failed", leaseId: job.leaseId, code, message });
    } finally {
      training?.dispose();
      this.dropped.delete(job.leaseId);
    }
  }

  private async follow(course: Course): Promise<void> {
    const { job, training, cadence } = course;
    const end = job.unit.to_epoch * job.unit.steps_per_epoch;
    let latest: Snapshot | null = null;
    while (training.step < end) {
      const loss = await this.slice(course, end);
      if (this.dropped.has(job.leaseId)) return;
      if (training.step % job.unit.steps_per_epoch === 0 && Number.isFinite(loss)) course.lastLoss = loss;
      const atCommit = job.unit.commit_steps.includes(training.step);
      if (!Number.isFinite(loss) || atCommit || training.step === end || cadence.due(this.clock.now())) {
        latest = await this.snapshot(course, atCommit);
        // Some backends clip NaN away on its way to the loss; the weights keep it.
        if (!Number.isFinite(loss) || !course.finite) return this.finish(course, latest, true);
        if (training.step < end) {
          this.emit({ type: "snapshot", leaseId: job.leaseId, snapshot: latest });
        }
      }
      this.say(course);
      if (course.activeMs > 1_000 * job.unit.limits.seconds && training.step < end) {
        const message = `The unit took longer than its ${job.unit.limits.seconds} seconds.`;
        this.emit({ type: "failed", leaseId: job.leaseId, code: "over_limit", message });
        return;
      }
      if (this.paused !== null) await this.waitWhilePaused(course);
    }
    this.finish(course, latest ?? (await this.snapshot(course, true)), false);
  }

  /** Train some batches, wait for them, rest; gives the mean loss of the epoch in hand. */
  private async slice(course: Course, end: number): Promise<number> {
    const { training, job } = course;
    const { commit_steps: commits, steps_per_epoch: steps } = job.unit;
    const from = training.step;
    const stops = [end, (training.epoch + 1) * steps, ...commits.filter((step) => step > from)];
    const until = Math.min(from + this.pace.batches(), ...stops);
    const begun = this.clock.now();
    while (training.step < until) training.advance();
    const loss = await training.loss();
    if (this.isLost()) throw new Error("The GPU was taken away.");
    const worked = this.clock.now();
    const sleep = this.pace.worked(until - from, worked - begun);
    await this.clock.rest(sleep);
    if (sleep > 0) this.pace.slept(this.clock.now() - worked);
    course.activeMs += this.clock.now() - begun;
    return loss;
  }

  private async snapshot(course: Course, atCommit: boolean): Promise<Snapshot> {
    const { training, job } = course;
    const begun = this.clock.now();
    const state = await training.state();
    const bytes = writeCheckpoint(state);
    course.finite = isFinite(state);
    if (this.isLost()) throw new Error("The GPU was taken away.");
    const snapshot = { bytes, sha256: await sha256(bytes), epoch: training.epoch, step: training.step };
    if (atCommit) {
      course.commitments.set(training.step, snapshot.sha256);
      const states = this.committed.get(job.leaseId) ?? new Map<number, ArrayBuffer>();
      this.committed.set(job.leaseId, states.set(training.step, bytes));
    }
    course.cadence.taken(begun, this.clock.now());
    return snapshot;
  }

  /** A pause may end with the tab, so it starts with a snapshot. */
  private async waitWhilePaused(course: Course): Promise<void> {
    const { job } = course;
    const snapshot = await this.snapshot(course, false);
    this.emit({ type: "snapshot", leaseId: job.leaseId, snapshot });
    while (this.paused !== null && !this.dropped.has(job.leaseId)) {
      await Promise.race([this.paused, this.clock.rest(PROGRESS_EVERY_MS)]);
    }
  }

  private progress(course: Course): EngineProgress {
    const { training, job, activeMs } = course;
    const samples = (training.step - course.startedAtStep) * job.unit.batch_size;
    return {
      epoch: training.epoch,
      step: training.step,
      loss: course.lastLoss,
      samplesPerSecond: activeMs > 0 ? (1_000 * samples) / activeMs : null,
      commitments: Object.fromEntries(course.commitments),
    };
  }

  private say(course: Course): void {
    const now = this.clock.now();
    const { step } = course.training;
    const epochEnded = step % course.job.unit.steps_per_epoch === 0;
    if (!epochEnded && now - course.saidAt < PROGRESS_EVERY_MS) return;
    course.saidAt = now;
    const { leaseId } = course.job;
    this.emit({ type: "progress", leaseId, progress: this.progress(course) });
  }

  private finish(course: Course, snapshot: Snapshot, diverged: boolean): void {
    const { leaseId } = course.job;
    const progress = this.progress(course);
    this.emit({ type: "finished", leaseId, snapshot, progress, diverged });
  }
}

/** The finished epoch's mean loss that a checkpoint between two epochs carries. */
function resumedLoss(job: Job): number | null {
  const { epoch, step, lossSum, lossRows } = readCheckpoint(job.resume ?? job.start);
  const whole = step > 0 && step === epoch * job.unit.steps_per_epoch;
  return whole && lossRows === job.unit.rows ? lossSum / lossRows : null;
}
