/** What crosses between the bench page and its Workers. */

export type Side = "stock" | "ours" | "stacked" | "kernels";

export interface Task {
  readonly backend: "cpu" | "wasm" | "webgl" | "webgpu";
  /** TF.js layers JSON: {class_name, config}. */
  readonly topology: object;
  /** `layer/weight` -> shape. */
  readonly weights: Readonly<Record<string, number[]>>;
  /** Of one row. */
  readonly shape: readonly number[];
  readonly classes: number;
  readonly rows: number;
  readonly batch: number;
  readonly optimizer: "adam" | "sgd";
  /** Units that the stacked side trains together. */
  readonly units: number;
}

export type Ask =
  | { readonly type: "open"; readonly task: Task }
  /** Train for about as long. */
  | { readonly type: "run"; readonly seconds: number }
  /** Train one epoch, and count what is launched. */
  | { readonly type: "count" };

export interface Answer {
  readonly samples: number;
  readonly milliseconds: number;
  readonly loss: number;
  /** Kernels of TF.js, and draws or dispatches of the GPU, a step. */
  readonly kernels: number;
  readonly launches: number;
  /** The same by kernel: calls and launches a step. */
  readonly byKernel: Readonly<Record<string, readonly [number, number]>>;
}

/** Train at a share of the device for about as long. */
export interface ShareAsk {
  readonly task: Task;
  readonly share: number;
  readonly seconds: number;
}

export interface ShareAnswer {
  /** The part of the time in which the engine did not rest. */
  readonly got: number;
  readonly slices: number;
  /** What half of the slices took at most, the wait for the device included, and 95%. */
  readonly medianMs: number;
  readonly longMs: number;
}
