/** One lease in this donor's hands: where it stands, and what of it is safe elsewhere. */

import type { EngineProgress, Snapshot } from "../engine/messages";
import type { Backend, Completed, Handback, Lease, Progress } from "../protocol/messages";

export type Stage = "queued" | "downloading" | "training" | "handing_in" | "handed_in" | "giving_up";

export interface Result {
  readonly snapshot: Snapshot;
  readonly diverged: boolean;
  readonly stacked: boolean;
  /** What trained it. */
  readonly backend: Backend | null;
}

/** The present state of one lease. Replaced, never changed, by the session. */
export interface Holding {
  readonly lease: Lease;
  readonly stage: Stage;
  readonly progress: EngineProgress;
  /** The newest state that this device has. */
  readonly latest: Snapshot | null;
  /** The step of the newest state that the coordinator has, and when it got it. */
  readonly savedStep: number | null;
  readonly savedAtMs: number | null;
  readonly result: Result | null;
  /** Times that the engine failed on it. */
  readonly failures: number;
}

/** Last step of a unit, counted over the whole trial. */
export function lastStep({ unit }: Lease): number {
  return unit.to_epoch * unit.steps_per_epoch;
}

/** First step of a unit, counted over the whole trial. */
export function firstStep({ unit }: Lease): number {
  return unit.from_epoch * unit.steps_per_epoch;
}

export function hold(lease: Lease): Holding {
  const progress: EngineProgress = {
    epoch: lease.unit.from_epoch,
    step: firstStep(lease),
    loss: null,
    samplesPerSecond: null,
    commitments: {},
  };
  return {
    lease,
    stage: "queued",
    progress,
    latest: null,
    savedStep: null,
    savedAtMs: null,
    result: null,
    failures: 0,
  };
}

/** Take in what the engine says; commitments from before a restart of the engine stay. */
export function advance(holding: Holding, progress: EngineProgress): Holding {
  const commitments = { ...holding.progress.commitments, ...progress.commitments };
  const loss = progress.loss ?? holding.progress.loss;
  return { ...holding, progress: { ...progress, loss, commitments } };
}

/** NaN and infinity have no place in JSON. */
function finite(value: number | null): number | null {
  return value !== null && Number.isFinite(value) ? value : null;
}

export function toProgress({ lease, progress }: Holding): Progress {
  return {
    lease_id: lease.id,
    epoch: progress.epoch,
    step: progress.step,
    loss: finite(progress.loss),
    samples_per_second: finite(progress.samplesPerSecond),
    commitments: progress.commitments,
  };
}

export function toCompleted({ lease, progress }: Holding, result: Result): Completed {
  const loss = finite(progress.loss);
  return {
    lease_id: lease.id,
    token: lease.token,
    artifact: result.snapshot.sha256,
    step: result.snapshot.step,
    claims: loss === null ? {} : { loss },
    commitments: progress.commitments,
    diverged: result.diverged,
    stacked: result.stacked,
    backend: result.backend,
  };
}

export function toHandback({ lease }: Holding, reason: Handback["reason"], detail = ""): Handback {
  return { lease_id: lease.id, token: lease.token, reason, detail: detail.slice(0, 500) };
}
