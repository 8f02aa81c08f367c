/** Plateaus after every epoch as Keras 3's callback has them (tests/vectors), and the edges of schedules. */

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Optimizer } from "../../protocol/messages";
import { afterEpoch, type Plateau, type PlateauState, type Schedule } from "./plateau";
import { rateAt, stepsOf } from "./rates";

interface Vectors {
  readonly plateaus: readonly { readonly schedule: Plateau; readonly losses: readonly number[]; readonly after: readonly (readonly number[])[] }[];
}

const { plateaus } = JSON.parse(
  readFileSync(new URL("../../../../tests/vectors/optimizers.json", import.meta.url), "utf8"),
) as Vectors;

function follow(schedule: Plateau, losses: readonly number[]): number[][] {
  let state: PlateauState | null = null;
  return losses.map((loss) => {
    state = afterEpoch(schedule, 0.1, state, loss);
    return [state.rate, state.wait, state.cooldown];
  });
}

describe.each(plateaus)("plateau $schedule", ({ schedule, losses, after }) => {
  test("does after every epoch what Keras's does", () => {
    expect(follow(schedule, losses)).toEqual(after);
  });

  test("does otherwise with one epoch more of patience", () => {
    const patience = 1 + Math.max(1, schedule.patience ?? 10);
    expect(follow({ ...schedule, patience }, losses)).not.toEqual(after);
  });
});

function rates(schedule: Schedule, steps: number): number[] {
  const optimizer: Optimizer = { name: "sgd", learning_rate: 1, schedule };
  return Array.from({ length: steps }, (_, step) => rateAt(optimizer, 2, step, null));
}

describe("schedules", () => {
  test("round epochs half up to whole steps, one at least", () => {
    expect([0.01, 0.25, 1, 1.25].map((epochs) => stepsOf(epochs, 2))).toEqual([1, 1, 2, 3]);
  });

  test("stay at their end when training goes on", () => {
    expect(rates({ name: "cosine", decay_epochs: 1, alpha: 0.25 }, 6).slice(2)).toEqual([0.25, 0.25, 0.25, 0.25]);
    const [, , , end, after] = rates({ name: "one_cycle", decay_epochs: 2, start_divisor: 2, end_divisor: 4 }, 5);
    expect([end, after]).toEqual([0.125, 0.125]);
  });

  test("one cycle of a single step, or with its peak at the first one, has no undefined rate", () => {
    const [one] = rates({ name: "one_cycle", decay_epochs: 0.5 }, 1);
    expect(one).toBeGreaterThan(0);
    expect(rates({ name: "one_cycle", decay_epochs: 1, rise_share: 0.5 }, 2)[0]).toBe(1);
  });
});
