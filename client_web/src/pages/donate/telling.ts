/** What the donate page says of a donor's state. Pure. */

import type { DonorState } from "../../donor/state";
import { count, duration } from "../shared/format";
import { backendText } from "../shared/words";

/** The headline's second line: what this tab is doing, in one sentence. */
export function doing(state: DonorState): string {
  const unit = state.unit;
  switch (state.phase) {
    case "measuring":
      return "Measuring which way of computing is fastest here, and checking that it computes right.";
    case "connecting":
      return "Connecting to the coordinator.";
    case "waiting":
      return "No unit is ready right now. This tab asks again by itself.";
    case "downloading":
      return "Fetching the network's plan and its arrays of numbers.";
    case "training":
      return unit ? `Your tab is helping with “${unit.study_name}”, a study by ${unit.submitter}.` : "Training.";
    case "paused":
      return "Paused. Nothing is computed until you go on.";
    case "stopping":
      return "Handing back what is there.";
    case "stopped":
      return "Stopped. Thank you for what you gave.";
    case "problem":
      return "This tab cannot train right now.";
  }
}

/** `Trial 51, fold 2`, or what a refit is for. */
export function place(state: DonorState): string {
  const unit = state.unit;
  if (unit === null) return "";
  if (unit.kind === "refit") return `The best network, trial ${unit.trial}, on all training rows`;
  const others = state.together - 1;
  const beside = others > 0 ? `, and ${count(others)} more like it at once` : "";
  return `Trial ${unit.trial}${unit.fold === null ? "" : `, fold ${unit.fold + 1}`}${beside}`;
}

/** Share of this unit that is done, from 0 to 1. */
export function share(state: DonorState): number {
  return state.stepsTotal > 0 ? Math.min(1, state.step / state.stepsTotal) : 0;
}

const DEVICE: Readonly<Record<string, string>> = {
  webgpu: "on this device's graphics card",
  webgl: "on this device's graphics card",
  wasm: "on this device's processor",
  cpu: "on this device's processor",
};

/** `WebGPU on this device's graphics card · 41,200 samples a second`. */
export function machine(state: DonorState): string {
  if (state.backend === null) return "";
  const where = `${backendText(state.backend)} ${DEVICE[state.backend] ?? ""}`.trim();
  const speed = state.samplesPerSecond === null ? "" : ` · ${count(Math.round(state.samplesPerSecond))} samples a second`;
  const tabs = state.tabs > 1 ? ` · ${state.tabs} tabs divide this device` : "";
  return where + speed + tabs;
}

/** What closing the tab would lose, honestly. */
export function loss(state: DonorState): string {
  if (state.unit === null) return "Closing the tab loses nothing.";
  if (state.savedSecondsAgo === null) {
    return "Not saved yet: closing the tab now hands the unit back, and another tab starts it again.";
  }
  const ago = duration(state.savedSecondsAgo);
  return state.savedSecondsAgo <= 30
    ? `Saved ${ago} ago, so closing the tab loses almost nothing.`
    : `Saved ${ago} ago; closing the tab loses what came after.`;
}
