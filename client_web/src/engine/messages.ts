/** Everything that crosses between the donor session and the engine's Worker. Types only, no logic. */

import type { Backend, BackendReport, Unit } from "../protocol/messages";

export type BrowserBackend = Exclude<Backend, "jax">;

/** One unit with its bytes. `resume` is a newer state of the same unit than `start`, or null. */
export interface Job {
  readonly leaseId: string;
  readonly unit: Unit;
  readonly topology: ArrayBuffer;
  readonly start: ArrayBuffer;
  readonly tensors: ArrayBuffer;
  readonly resume: ArrayBuffer | null;
}

/** The canonical checkpoint of one moment between two steps. */
export interface Snapshot {
  readonly bytes: ArrayBuffer;
  readonly sha256: string;
  readonly epoch: number;
  readonly step: number;
}

export interface EngineProgress {
  readonly epoch: number;
  readonly step: number;
  /** Mean training loss of the last whole epoch; null before one is finished. */
  readonly loss: number | null;
  readonly samplesPerSecond: number | null;
  /** Commit step -> SHA-256 of the checkpoint there. */
  readonly commitments: Readonly<Record<string, string>>;
}

export type ToEngine =
  /** Measure these backends, or take `remembered` measurements, and start on the best or `force`. */
  | {
      readonly type: "prepare";
      readonly force: BrowserBackend | null;
      readonly remembered: readonly BackendReport[] | null;
      /** Backends chosen before, by kinds of units. */
      readonly kinds: Readonly<Record<string, BrowserBackend>>;
    }
  /** Train these units, together where the engine can: those of one call share their `stack`. */
  | { readonly type: "train"; readonly jobs: readonly Job[] }
  | { readonly type: "share"; readonly share: number }
  | { readonly type: "pause" }
  | { readonly type: "resume" }
  /** Abandon the unit in hand; nothing more is said of it. */
  | { readonly type: "drop"; readonly leaseId: string }
  /** Send `tick` this often from now on (page timers sleep in hidden tabs, a Worker's do not). */
  | { readonly type: "ticks"; readonly everySeconds: number }
  /** The unit is settled: its committed states may be forgotten, but for those with these hashes, which are asked for. */
  | { readonly type: "settled"; readonly leaseId: string; readonly asked: readonly string[] };

/** Which backend suits a kind of unit. */
export interface Fit {
  readonly kind: string;
  readonly backend: BrowserBackend;
  /** What was measured now; empty where the kind was known, or there is nothing to choose. */
  readonly measured: readonly BackendReport[];
}

export type FromEngine =
  | {
      readonly type: "prepared";
      readonly backend: BrowserBackend;
      readonly reports: readonly BackendReport[];
    }
  /** Units of this kind train on this backend from now on; the one in hand is the first. */
  | { readonly type: "fitted"; readonly fit: Fit }
  | { readonly type: "progress"; readonly leaseId: string; readonly progress: EngineProgress }
  /** A state worth keeping; the unit goes on. */
  | { readonly type: "snapshot"; readonly leaseId: string; readonly snapshot: Snapshot }
  | {
      readonly type: "finished";
      readonly leaseId: string;
      readonly snapshot: Snapshot;
      readonly progress: EngineProgress;
      /** The loss became NaN or infinite. */
      readonly diverged: boolean;
      /** It was trained with others as one batched graph. */
      readonly stacked: boolean;
    }
  /** The committed states that were asked for, as far as they are still here. */
  | { readonly type: "committed"; readonly leaseId: string; readonly states: readonly Snapshot[] }
  /** The unit in hand (or, with null, the engine itself) cannot go on. */
  | {
      readonly type: "failed";
      readonly leaseId: string | null;
      readonly code: EngineFailure;
      readonly message: string;
    }
  /** The Worker holds the lock of its name; whoever gets that lock next knows that it has died. */
  | { readonly type: "alive" }
  | { readonly type: "tick" };

export type EngineFailure =
  /** No backend of this device gets the known answer. */
  | "no_backend"
  /** The GPU was taken away: start a fresh Worker and go on from the last snapshot. */
  | "backend_lost"
  /** The unit asks for something that this engine does not train rightly. */
  | "unsupported"
  /** The unit's time limit has passed. */
  | "over_limit"
  | "error";
