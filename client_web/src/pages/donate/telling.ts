/** What the donate page says of a donor's state. Pure. */

import type { DonorState } from "../../donor/state";
import { count, duration } from "../shared/format";
import { ANYONE, backendText } from "../shared/words";

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
      return unit ? helping(unit) : "Training.";
    case "handing_in":
      return "Handing in what was trained; the coordinator scores it.";
    case "paused":
      return paused(state);
    case "stopping":
      return "Handing back what is there.";
    case "stopped":
      return "Stopped. Thank you for what you gave.";
    case "problem":
      return "This tab cannot train right now.";
  }
}

function helping({ kind, study_name: name, submitter }: NonNullable<DonorState["unit"]>): string {
  if (kind === "check") return "First a small training whose end is known: it shows that this device trains rightly.";
  return `Your tab is helping with “${name}”${submitter === ANYONE ? "" : `, a study by ${submitter}`}.`;
}

/** Why nothing is computed now, and until when. */
function paused({ ownPause, reasons }: DonorState): string {
  if (ownPause) return "Paused. Nothing is computed until you go on.";
  const [first, ...others] = reasons.map(({ text }) => text);
  if (first === undefined) return "Paused.";
  return [`Paused: ${first}`, ...others.map((text) => `Also, ${text}`)].join(" ");
}

/** Whether it only rests for a moment because the person is at the page. */
export function resting({ ownPause, reasons }: DonorState): boolean {
  return !ownPause && reasons.length > 0 && reasons.every(({ code }) => code === "busy");
}

/** The tab's title: how far this unit is, where one is trained. */
export function title(state: DonorState): string {
  const busy = state.phase === "training" || state.phase === "handing_in" || state.phase === "stopping";
  const training = state.unit !== null && (busy || resting(state));
  if (training) return `${Math.floor(100 * share(state))}% · Potluck`;
  return state.phase === "paused" ? "Paused · Potluck" : "Donate · Potluck";
}

/** `Trial 51, fold 2`, or what a refit is for. */
export function place(state: DonorState): string {
  const unit = state.unit;
  if (unit === null) return "";
  if (unit.kind === "check") return "A check of this device";
  if (unit.kind === "refit") return `The best network, trial ${unit.trial}, on all training rows`;
  const others = state.together - 1;
  const beside = others > 0 ? `, and ${count(others)} more like it at once` : "";
  return `Trial ${unit.trial}${unit.fold === null ? "" : `, fold ${unit.fold + 1}`}${beside}`;
}

/** Share of the epochs up to this unit's end that are done, from 0 to 1: what the ring and its text say. */
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
  if (state.phase === "handing_in") return "All of it is trained. Keep the tab open until it is handed in.";
  if (state.savedSecondsAgo === null) {
    return "Not saved yet: closing the tab now hands the unit back, and another tab starts it again.";
  }
  const ago = duration(state.savedSecondsAgo);
  return state.savedSecondsAgo <= 30
    ? `Saved ${ago} ago, so closing the tab loses almost nothing.`
    : `Saved ${ago} ago; closing the tab loses what came after.`;
}
