/** From what the session holds to what the page shows. Pure. */

import type { Heard } from "../protocol/messages";
import { firstStep, type Holding } from "./holding";
import type { DonorState, Phase } from "./state";

/** What the session knows beside the state that it shows. */
export interface Standing {
  readonly holding: Holding | undefined;
  readonly paused: boolean;
  /** Set once the session is about to end, or has ended. */
  readonly ending: "stopping" | "stopped" | "problem" | null;
  readonly nowMs: number;
}

const BY_STAGE: Readonly<Record<Holding["stage"], Phase>> = {
  queued: "downloading",
  downloading: "downloading",
  training: "training",
  handing_in: "training",
  handed_in: "waiting",
};

function phaseOf(state: DonorState, { holding, paused, ending }: Standing): Phase {
  if (ending !== null) return ending;
  if (state.backend === null) return "measuring";
  if (paused) return "paused";
  if (holding === undefined) return state.connected ? "waiting" : "connecting";
  return state.lastUnit ? "stopping" : BY_STAGE[holding.stage];
}

/** Fill in everything of a state that follows from the lease in hand. */
export function view(state: DonorState, standing: Standing): DonorState {
  const phase = phaseOf(state, standing);
  const { holding, nowMs } = standing;
  if (holding === undefined) {
    const nothing = { unit: null, epoch: 0, step: 0, stepsTotal: 0, loss: null, savedSecondsAgo: null };
    return { ...state, ...nothing, phase };
  }
  const { lease, progress, savedAtMs } = holding;
  const first = firstStep(lease);
  return {
    ...state,
    phase,
    unit: lease.unit,
    epoch: progress.epoch,
    step: progress.step - first,
    stepsTotal: lease.unit.to_epoch * lease.unit.steps_per_epoch - first,
    loss: progress.loss,
    samplesPerSecond: progress.samplesPerSecond ?? state.samplesPerSecond,
    savedSecondsAgo: savedAtMs === null ? null : Math.max(0, (nowMs - savedAtMs) / 1_000),
  };
}

/** Why the coordinator wants a unit put down, for the person. */
export const PUT_DOWN: Readonly<Record<NonNullable<Heard["stop"]>[string], string>> = {
  cancelled: "This study no longer needs the unit, so it was put down.",
  superseded: "Somebody else finished this unit first, so it was put down.",
  expired: "The unit was away too long and went to somebody else.",
  unknown: "The coordinator does not know this unit any more, so it was put down.",
};
