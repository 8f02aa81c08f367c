/** Keras 3's ReduceLROnPlateau of the training loss, and its state in checkpoints. */

import type { Optimizer } from "../../protocol/messages";

export type Schedule = NonNullable<Optimizer["schedule"]>;
export type Plateau = Extract<Schedule, { name: "plateau" }>;

/** What the schedule knows after an epoch. Numbers are float32, so that they come back exact. */
export interface PlateauState {
  readonly rate: number;
  readonly best: number;
  readonly wait: number;
  readonly cooldown: number;
}

/** Give the state after an epoch with this mean training loss; null: the first epoch. */
export function afterEpoch(schedule: Plateau, learningRate: number, state: PlateauState | null, loss: number): PlateauState {
  const current = Math.fround(loss);
  if (state === null) return { rate: Math.fround(learningRate), best: current, wait: 0, cooldown: 0 };
  const { factor = 0.1, patience = 10, min_delta: delta = 1e-4, min_lr: least = 0 } = schedule;
  let { rate, wait, cooldown } = state;
  if (cooldown > 0) {
    cooldown -= 1;
    wait = 0;
  }
  if (Math.fround(current + delta) < state.best) return { rate, best: current, wait: 0, cooldown };
  if (cooldown > 0) return { ...state, wait, cooldown };
  wait += 1;
  if (wait >= patience && rate > Math.fround(least)) {
    rate = Math.fround(Math.max(rate * factor, least));
    return { rate, best: state.best, wait: 0, cooldown: schedule.cooldown ?? 0 };
  }
  return { ...state, wait, cooldown };
}
