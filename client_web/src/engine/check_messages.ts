/** What a test asks of the checking Worker, and what it tells. Types only. */

import type { Unit } from "../protocol/messages";
import type { BrowserBackend, Fit } from "./messages";

export interface CheckUnit {
  readonly recipe: Pick<
    Unit,
    "rows" | "batch_size" | "steps_per_epoch" | "optimizer" | "loss" | "loss_options" | "from_logits" | "seed"
  >;
  readonly bytes: {
    readonly topology: ArrayBuffer;
    readonly checkpoint: ArrayBuffer;
    readonly tensors: ArrayBuffer;
  };
}

export interface CheckRequest extends CheckUnit {
  readonly backend: BrowserBackend;
  /** Units to train together with this one as one graph; none: it trains alone. */
  readonly companions: readonly CheckUnit[];
  /** Train by TF.js's kernels and ours, also where a unit would go by loops over one memory. */
  readonly byKernels: boolean;
  /** Train up to this step, counted over the whole trial. */
  readonly toStep: number;
  /** Let this kernel's results be a hundredth too large. */
  readonly breakKernel: string | null;
  /** Say whether the known answer comes, after the training. */
  readonly judge: boolean;
  readonly measure: boolean;
  /** Say how many bytes the first step takes. */
  readonly weigh: boolean;
  /** Train as on a device whose WebGL computes with 16 bits only. */
  readonly halfFloats: boolean;
  /** Choose among these for the unit beforehand, twice; none: do not choose. */
  readonly fit: readonly BrowserBackend[];
}

export interface CheckAnswer {
  readonly checkpoint: ArrayBuffer;
  readonly companions: readonly ArrayBuffer[];
  /** Tensors of TF.js that training left behind. */
  readonly leaked: number;
  readonly knownAnswer: boolean | null;
  readonly samplesPerSecond: number | null;
  /** TF.js's tensors at the worst moment of a step, and memory of our own loops on WASM. */
  readonly bytes: number | null;
  readonly fits: readonly Fit[];
}
