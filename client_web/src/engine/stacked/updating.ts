/** A unit's optimizer, as a stack uses it: the rule of all backends, and one unit's numbers at each step. */

import { type OptimizerRule, optimizerRule } from "../optimizers/rules";
import { rateAt } from "../schedules/rates";
import type { Recipe } from "../training";

export interface Updating {
  readonly rule: OptimizerRule;
  /** Numbers of one step; `iteration` counts it as well, from 1. */
  readonly constants: (iteration: number) => readonly number[];
}

/** Give a unit's optimizer. */
export function updatingOf({ optimizer, steps_per_epoch: steps }: Recipe): Updating {
  const rule = optimizerRule(optimizer);
  return { rule, constants: (iteration) => rule.constants(iteration, rateAt(optimizer, steps, iteration - 1, null)) };
}

/** What a slot holds before the first step. */
export function slotStart({ rule }: Updating, slot: number): number {
  return rule.initial[slot] ?? 0;
}
