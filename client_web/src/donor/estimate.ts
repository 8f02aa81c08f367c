/** How long what is in the engine will still take, by its own pace so far. */

import { firstStep, type Holding, lastStep } from "./holding";

/** A longer silence was a pause or a sleep, not work. */
const LONGEST_GAP_MS = 10_000;

interface Course {
  readonly step: number;
  readonly atMs: number;
  readonly steps: number;
  readonly workedMs: number;
}

export class Estimate {
  private readonly courses = new Map<string, Course>();

  /** Take in a step that a lease has reached. */
  reached(id: string, step: number, nowMs: number): void {
    const before = this.courses.get(id);
    if (before === undefined || step < before.step) {
      this.courses.set(id, { step, atMs: nowMs, steps: 0, workedMs: 0 });
      return;
    }
    this.courses.set(id, {
      step,
      atMs: nowMs,
      steps: before.steps + step - before.step,
      workedMs: before.workedMs + Math.min(LONGEST_GAP_MS, Math.max(0, nowMs - before.atMs)),
    });
  }

  forget(id: string): void {
    this.courses.delete(id);
  }

  /**
   * Milliseconds that a group still takes, or null where nothing is known yet. Units that have begun
   * advance together; the others wait for their turn.
   */
  leftMs(group: readonly Holding[]): number | null {
    let together = 0;
    let inTurn = 0;
    let paceMs: number | null = null;
    for (const { lease, progress } of group) {
      const course = this.courses.get(lease.id);
      const steps = lastStep(lease) - progress.step;
      if (course === undefined) inTurn += lastStep(lease) - firstStep(lease);
      else if (course.steps > 0) {
        const perStep = course.workedMs / course.steps;
        paceMs = Math.max(paceMs ?? 0, perStep);
        together = Math.max(together, steps * perStep);
      } else if (steps > 0) return null;
    }
    return paceMs === null ? null : together + inTurn * paceMs;
  }
}

/** Share of a group's steps that is still to be done, from 0 to 1. */
export function shareLeft(group: readonly Holding[]): number {
  const total = group.reduce((sum, { lease }) => sum + lastStep(lease) - firstStep(lease), 0);
  const left = group.reduce((sum, { lease, progress }) => sum + lastStep(lease) - progress.step, 0);
  return total > 0 ? left / total : 0;
}
