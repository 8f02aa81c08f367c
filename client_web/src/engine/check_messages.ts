/** What a test asks of the checking Worker, and what it tells. Types only. */

import type { Unit } from "../protocol/messages";
import type { BrowserBackend } from "./messages";

export interface CheckRequest {
  readonly backend: BrowserBackend;
  readonly recipe: Pick<
    Unit,
    "rows" | "batch_size" | "steps_per_epoch" | "optimizer" | "loss" | "loss_options" | "from_logits" | "seed"
  >;
  readonly bytes: {
    readonly topology: ArrayBuffer;
    readonly checkpoint: ArrayBuffer;
    readonly tensors: ArrayBuffer;
  };
  /** Train up to this step, counted over the whole trial. */
  readonly toStep: number;
  /** Let this kernel's results be a hundredth too large. */
  readonly breakKernel: string | null;
  readonly measure: boolean;
}

export interface CheckAnswer {
  readonly checkpoint: ArrayBuffer;
  readonly knownAnswer: boolean;
  readonly samplesPerSecond: number | null;
}
