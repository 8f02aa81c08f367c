/** What to do when the engine fails or the coordinator complains. Pure: tables of decisions. */

import type { EngineFailure } from "../engine/messages";
import type { Handback } from "../protocol/messages";

export const TOO_OLD = "protocol.too_old";
/** Problems after which this bundle, or this donor, has nothing more to do here. */
export const FINAL_PROBLEMS: ReadonlySet<string> = new Set([TOO_OLD, "donor.paused"]);
/** Problems that pass: what was said meets a better moment. */
export const MOMENTARY = /^busy\./;

const MOST_RESTARTS = 4;
const FIRST_PENALTY_MS = 4_000;
const LONGEST_PENALTY_MS = 300_000;

export type Recovery =
  /** Throw the Worker away and go on from the last state. */
  | { readonly act: "restart" }
  /** This unit cannot be finished here; another may. */
  | { readonly act: "give_up"; readonly reason: Handback["reason"]; readonly restart: boolean }
  /** Nothing can be trained on this device. */
  | { readonly act: "end"; readonly message: string };

/** Decide by the failure, how often the unit in hand failed before, and the restarts so far. */
export function recover(
  code: EngineFailure,
  message: string,
  unitFailures: number | null,
  restarts: number,
): Recovery {
  if (code === "no_backend") return { act: "end", message };
  if (unitFailures !== null && code === "unsupported") {
    return { act: "give_up", reason: "error", restart: false };
  }
  if (unitFailures !== null && code === "over_limit") {
    return { act: "give_up", reason: "over_limit", restart: false };
  }
  if (restarts >= MOST_RESTARTS) {
    return { act: "end", message: `Training keeps failing on this device. ${message}` };
  }
  // A lost GPU is not the unit's fault; a second error probably is.
  if (unitFailures !== null && unitFailures > 0 && code === "error") {
    return { act: "give_up", reason: "error", restart: true };
  }
  return { act: "restart" };
}

/** The wait before asking again: the same unit may come, so more and more rarely. */
export function penaltyMs(handbacksInARow: number): number {
  return Math.min(LONGEST_PENALTY_MS, FIRST_PENALTY_MS * 2 ** Math.max(0, handbacksInARow - 1));
}
