/** Units in hand: one alone, or several as one batched graph. The runner treats them alike. */

import { readCheckpoint, type State } from "../checkpoint";
import type { Job } from "../messages";
import { Training } from "../training";
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

/** Open one unit by itself. */
export async function openAlone(job: Job): Promise<Party> {
  const { topology, tensors, unit } = job;
  return new Single(await Training.open(unit, { topology, tensors, checkpoint: checkpointOf(job) }));
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
