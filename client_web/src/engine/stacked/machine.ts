/** What trains a stack's units: on CPU and WASM loops over one memory, on GPUs a few programs. */

import type { State } from "../checkpoint";
import type { LossName } from "../../protocol/messages";
import type { Parameters } from "./parameters";
import type { Plan } from "./plan";
import type { Updating } from "./updating";

export interface StackTask {
  readonly plan: Plan;
  readonly parameters: Parameters;
  readonly states: readonly State[];
  readonly updates: readonly Updating[];
  readonly seeds: readonly number[];
  readonly x: Float32Array;
  readonly y: Float32Array | Int32Array;
  readonly loss: LossName;
  readonly fromLogits: boolean;
  /** Rows of all batches but the last. */
  readonly batchSize: number;
}

export interface Batch {
  /** Each unit's rows by number; one for all where they share their seed. */
  readonly orders: readonly Int32Array[];
  /** The same of the whole epoch: one object while the epoch lasts. */
  readonly epochOrders: readonly Int32Array[];
  /** Rows of the epoch before this batch. */
  readonly from: number;
  readonly rows: number;
  /** Steps finished before, counted over the trial. */
  readonly step: number;
  /** Steps that each unit's optimizer has taken, with this one. */
  readonly iterations: readonly number[];
  /** An epoch's first: its sums of losses begin anew. */
  readonly first: boolean;
}

/** One unit's part of what was read back. */
export type UnitState = Pick<State, "weights" | "slots" | "lossSum" | "lossRows">;

export interface Machine {
  /** Train on a batch. On a GPU the work is only handed over. */
  step(batch: Batch): void;
  /** Wait for all steps; give each unit's sum of row losses in this epoch, and its rows: [units, 2]. */
  sums(): Promise<Float32Array>;
  /** Wait for all steps, and read every unit back. */
  read(): Promise<readonly UnitState[]>;
  dispose(): void;
}

/** Say whether all units visit their rows in the same order. */
export function sameOrders({ seeds }: Pick<StackTask, "seeds">): boolean {
  return seeds.every((seed) => seed === seeds[0]);
}
