/** The learning rate of a step, by Keras 3's schedules (docs/protocol.md). */

import type { Optimizer } from "../../protocol/messages";
import type { PlateauState, Schedule } from "./plateau";

/** Give the whole steps of so many epochs: rounded half up, 1 at least. */
export function stepsOf(epochs: number, stepsPerEpoch: number): number {
  return Math.max(1, Math.floor(epochs * stepsPerEpoch + 0.5));
}

/** Go from a to b by half a cosine. */
function between(a: number, b: number, share: number): number {
  return b + ((a - b) / 2) * (1 + Math.cos(Math.PI * share));
}

function oneCycle(schedule: Extract<Schedule, { name: "one_cycle" }>, total: number, step: number): number {
  const { rise_share: rise = 0.3, start_divisor: starts = 25, end_divisor: ends = 1e4 } = schedule;
  const [start, end, top, last] = [1 / starts, 1 / starts / ends, rise * total - 1, total - 1];
  if (step < top) return between(start, 1, step / top);
  const begun = Math.max(top, 0);
  return between(1, end, step >= last ? 1 : (step - begun) / (last - begun));
}

/** The share of the full rate after `step` steps of the schedule, warm-up left out. */
function shareAt(schedule: Schedule, stepsPerEpoch: number, step: number): number {
  switch (schedule.name) {
    case "step":
      return (schedule.factor ?? 0.1) ** Math.floor(step / stepsOf(schedule.every_epochs, stepsPerEpoch));
    case "piecewise": {
      const passed = schedule.boundaries.filter((epochs) => step > stepsOf(epochs, stepsPerEpoch)).length;
      const factor = schedule.factors[passed];
      if (factor === undefined) throw new Error(`the schedule has no factor ${passed}`);
      return factor;
    }
    case "exponential":
      return (schedule.decay_rate ?? 0.1) ** (step / stepsOf(schedule.decay_epochs, stepsPerEpoch));
    case "cosine": {
      const decay = stepsOf(schedule.decay_epochs, stepsPerEpoch);
      const cosine = 0.5 * (1 + Math.cos(Math.PI * (Math.min(step, decay) / decay)));
      const alpha = schedule.alpha ?? 0;
      return (1 - alpha) * cosine + alpha;
    }
    case "one_cycle":
      return oneCycle(schedule, stepsOf(schedule.decay_epochs, stepsPerEpoch), step);
    default:
      return 1;
  }
}

/** Give the learning rate of the step after `step` steps; `plateau` where that is the schedule. */
export function rateAt(optimizer: Optimizer, stepsPerEpoch: number, step: number, plateau: PlateauState | null): number {
  const full = plateau === null ? optimizer.learning_rate : plateau.rate;
  const { schedule } = optimizer;
  if (schedule === undefined) return full;
  const { warmup_epochs: epochs = 0, warmup_from: from = 0 } = schedule;
  const warmup = epochs > 0 ? stepsOf(epochs, stepsPerEpoch) : 0;
  if (step < warmup) return (full - full * from) * (step / warmup) + full * from;
  return full * shareAt(schedule, stepsPerEpoch, step - warmup);
}
