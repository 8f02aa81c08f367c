/** From what the session holds to what the page shows. Pure. */

import { firstStep, type Holding } from "./holding";
import type { DonorState, Phase } from "./state";

function phaseOf(state: DonorState, holding: Holding | undefined, paused: boolean): Phase {
  if (["stopped", "problem", "stopping"].includes(state.phase) && !state.lastUnit) return state.phase;
  if (state.phase === "stopped" || state.phase === "problem") return state.phase;
  if (state.backend === null) return "measuring";
  if (paused) return "paused";
  if (holding !== undefined && state.lastUnit) return "stopping";
  if (holding?.stage === "training" || holding?.stage === "handing_in") return "training";
  if (holding?.stage === "downloading" || holding?.stage === "queued") return "downloading";
  return state.connected ? "waiting" : "connecting";
}

/** Fill in everything of a state that follows from the lease in hand. */
export function view(
  state: DonorState,
  holding: Holding | undefined,
  paused: boolean,
  nowMs: number,
): DonorState {
  const phase = phaseOf(state, holding, paused);
  if (holding === undefined) {
    return { ...state, phase, unit: null, epoch: 0, step: 0, stepsTotal: 0, loss: null, savedSecondsAgo: null };
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
