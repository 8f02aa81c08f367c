/** A unit's optimizer, as a stack uses it: the rule of all backends, and one unit's numbers at each step. */

import { type OptimizerRule, optimizerRule } from "../optimizers/rules";
import type { Recipe } from "../training";

export interface Updating {
  readonly rule: OptimizerRule;
  /** Numbers of one step; `iteration` counts it as well, from 1. */
  readonly constants: (iteration: number) => readonly number[];
}

/** Give a unit's optimizer. */
export function updatingOf({ optimizer }: Recipe): Updating {
  const rule = optimizerRule(optimizer);
  return { rule, constants: rule.constants };
}

/** What a slot holds before the first step. */
export function slotStart(_updating: Updating, _slot: number): number {
  return 0;
}
