/** Units in hand: one alone, or several as one batched graph. The runner treats them alike. */

import { getBackend } from "@tensorflow/tfjs-core";
import { readCheckpoint, type State, writeCheckpoint } from "../checkpoint";
import { HOST_BACKENDS } from "../host_memory";
import type { Job } from "../messages";
import { type Recipe, Training, type TrainingBytes } from "../training";
import { CannotStack, mayStack } from "./plan";
import { StackedTraining } from "./training";

export interface Party {
  readonly stacked: boolean;
  readonly step: number;
  readonly epoch: number;
  advance(): void;
  /** Wait for all steps; each unit's mean row loss of the present (or just finished) epoch. */
  losses(): Promise<readonly number[]>;
  states(): Promise<readonly State[]>;
  dispose(): void;
}

function checkpointOf({ start, resume }: Job): ArrayBuffer {
  return resume ?? start;
}

/** One unit by TF.js. */
class Single implements Party {
  readonly stacked = false;
  private readonly training: Training;

  constructor(training: Training) {
    this.training = training;
  }

  get step(): number {
    return this.training.step;
  }

  get epoch(): number {
    return this.training.epoch;
  }

  advance(): void {
    this.training.advance();
  }

  async losses(): Promise<readonly number[]> {
    return [await this.training.loss()];
  }

  async states(): Promise<readonly State[]> {
    return [await this.training.state()];
  }

  dispose(): void {
    this.training.dispose();
  }
}

/** Open one unit on TF.js, with its kernels and ours. */
export async function openByKernels(recipe: Recipe, bytes: TrainingBytes): Promise<Party> {
  return new Single(await Training.open(recipe, bytes));
}

/**
 * Open one unit by itself. Where JavaScript reaches the memory, loops over it beat TF.js's kernels, and give a
 * unit the same bits in any company; what they do not know trains by TF.js.
 */
export async function openUnit(recipe: Recipe, bytes: TrainingBytes): Promise<Party> {
  if (HOST_BACKENDS.has(getBackend()) && mayStack(bytes.topology)) {
    try {
      return await StackedTraining.open([{ recipe, bytes }]);
    } catch (problem) {
      if (!(problem instanceof CannotStack)) throw problem;
    }
  }
  return openByKernels(recipe, bytes);
}

export function openAlone(job: Job): Promise<Party> {
  const { topology, tensors, unit } = job;
  return openUnit(unit, { topology, tensors, checkpoint: checkpointOf(job) });
}

/** Open units as one graph; null where they cannot be, for whatever reason: alone each says what is wrong. */
export async function openTogether(jobs: readonly Job[]): Promise<Party | null> {
  const [first] = jobs;
  const end = ({ unit }: Job): string => JSON.stringify([unit.to_epoch, unit.commit_steps]);
  if (first === undefined || jobs.some((job) => end(job) !== end(first))) return null;
  try {
    return await StackedTraining.open(
      jobs.map((job) => {
        const { topology, tensors, unit } = job;
        return { recipe: unit, bytes: { topology, tensors, checkpoint: checkpointOf(job) } };
      }),
    );
  } catch {
    return null;
  }
}

/** Give up a party for one of these units of it only: a stack computes for as many as it was opened with. */
export async function narrowed(party: Party, left: readonly { readonly job: Job; readonly index: number }[]): Promise<Party> {
  const states = await party.states();
  // Before the other is opened: together they might be more than the device has.
  party.dispose();
  const jobs = left.map(({ job, index }) => {
    const state = states[index];
    if (state === undefined) throw new Error("a unit has no state");
    return { ...job, resume: writeCheckpoint(state) };
  });
  const [first] = jobs;
  const smaller = first !== undefined && jobs.length === 1 ? await openAlone(first) : await openTogether(jobs);
  if (smaller === null) throw new Error("the units could not go on together");
  return smaller;
}

/** Sort units into groups that stand at the same step; those that do not are trained one after another. */
export function atOneStep(jobs: readonly Job[]): (readonly Job[])[] {
  const groups = new Map<number | string, Job[]>();
  for (const job of jobs) {
    let key: number | string;
    try {
      key = readCheckpoint(checkpointOf(job)).step;
    } catch {
      key = job.leaseId;
    }
    groups.set(key, [...(groups.get(key) ?? []), job]);
  }
  return [...groups.values()];
}
