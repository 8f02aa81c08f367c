/** What a page can show of a donor at work. Plain data: no framework, no Worker, no socket. */

import type { Choices } from "./choices";
import type { Reason } from "./manners";
import type { Backend, BackendReport, DonorRecord, Unit } from "../protocol/messages";

export type Phase =
  | "measuring"
  | "connecting"
  | "waiting"
  | "downloading"
  | "training"
  | "handing_in"
  | "paused"
  | "stopping"
  | "stopped"
  | "problem";

export interface DonorState {
  readonly phase: Phase;
  /** Null until the coordinator has answered for the first time. */
  readonly record: DonorRecord | null;
  /** The backend that this session trains on; null until it is chosen. */
  readonly backend: Backend | null;
  /** Every backend measured on this device, the chosen one included. */
  readonly backends: readonly BackendReport[];
  readonly samplesPerSecond: number | null;
  readonly unit: Unit | null;
  /** Units like it that are trained at once, itself among them; 0 without one. */
  readonly together: number;
  /** Tabs of this browser that divide the device now, this one among them. */
  readonly tabs: number;
  /** Epochs of the whole trial that are finished. */
  readonly epoch: number;
  /** Steps of the whole trial that are finished, out of `stepsTotal` at this unit's end. */
  readonly step: number;
  readonly stepsTotal: number;
  /** Mean training loss of the last whole epoch: a claim of this device. */
  readonly loss: number | null;
  /** Seconds since the coordinator last got this unit's state; null while it has none. */
  readonly savedSecondsAgo: number | null;
  readonly connected: boolean;
  /** One plain sentence for the person, or an empty string. */
  readonly message: string;
  readonly unitsThisSession: number;
  /** Finishing this unit is the last thing this session will do. */
  readonly lastUnit: boolean;
  /** Share of the device, 0.05 to 1. */
  readonly share: number;
  /** Its owner pressed pause. */
  readonly ownPause: boolean;
  /** The conditions that hold it up now. */
  readonly reasons: readonly Reason[];
}

export const INITIAL_STATE: DonorState = {
  phase: "measuring",
  record: null,
  backend: null,
  backends: [],
  samplesPerSecond: null,
  unit: null,
  together: 0,
  tabs: 1,
  epoch: 0,
  step: 0,
  stepsTotal: 0,
  loss: null,
  savedSecondsAgo: null,
  connected: false,
  message: "",
  unitsThisSession: 0,
  lastUnit: false,
  share: 1,
  ownPause: false,
  reasons: [],
};

export interface DonorOptions {
  /** Train on this backend instead of the fastest (`?backend=` on the page). */
  readonly backend?: Exclude<Backend, "jax">;
  /** Share of the device at the start, 0.05 to 1. */
  readonly share?: number;
  /** What its owner chose; as at first where absent. */
  readonly choices?: Choices;
  /** Origin of the coordinator; the page's own where absent. */
  readonly origin?: string;
}

/** A running donor. `stop` hands everything back; a stopped donor is started again by `startDonor`. */
export interface DonorHandle {
  /** Calls `listener` with the present state at once and on each change; returns the way to leave. */
  readonly subscribe: (listener: (state: DonorState) => void) => () => void;
  readonly pause: () => void;
  readonly resume: () => void;
  readonly finishThenStop: () => void;
  readonly stop: () => void;
  /** Follows new choices at once; backend and memory from the next start on. */
  readonly choose: (choices: Choices) => void;
}
