/** From what the session holds to what the page shows. Pure. */

import { type Holding, lastStep } from "./holding";
import type { DonorState, Phase } from "./state";

/** What the session knows beside the state that it shows. */
export interface Standing {
  readonly holding: Holding | undefined;
  /** Units that are trained at once. */
  readonly together: number;
  readonly paused: boolean;
  /** Set once the session is about to end, or has ended. */
  readonly ending: "stopping" | "stopped" | "problem" | null;
  readonly nowMs: number;
}

const BY_STAGE: Readonly<Record<Holding["stage"], Phase>> = {
  queued: "downloading",
  downloading: "downloading",
  training: "training",
  handing_in: "handing_in",
  handed_in: "handing_in",
  giving_up: "waiting",
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
  const { holding, together, nowMs } = standing;
  // What is given up is no longer this tab's: nothing of it is shown.
  if (holding === undefined || holding.stage === "giving_up") {
    const nothing = { unit: null, epoch: 0, step: 0, stepsTotal: 0, loss: null, savedSecondsAgo: null, together };
    return { ...state, ...nothing, phase };
  }
  const { lease, progress, savedAtMs } = holding;
  return {
    ...state,
    phase,
    together,
    unit: lease.unit,
    epoch: progress.epoch,
    step: progress.step,
    stepsTotal: lastStep(lease),
    loss: progress.loss,
    samplesPerSecond: progress.samplesPerSecond ?? state.samplesPerSecond,
    savedSecondsAgo: savedAtMs === null ? null : Math.max(0, (nowMs - savedAtMs) / 1_000),
  };
}
