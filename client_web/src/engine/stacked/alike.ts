/** What must be equal for units to train together, and what may not be asked for at all. */

import { optimizerRule } from "../optimizers/rules";
import type { Recipe } from "../training";
import { CannotStack } from "./plan";

type Optimizer = Recipe["optimizer"];

/** What of a unit and of an optimizer a stack knows of; it takes no part in anything else that is asked for. */
const UNIT = new Set([
  "id", "kind", "study_id", "study_name", "submitter", "trial", "fold", "repeat", "rung", "from_epoch", "to_epoch",
  "epochs", "rows", "batch_size", "steps_per_epoch", "topology", "start", "tensors", "optimizer", "loss",
  "from_logits", "seed", "commit_steps", "flops", "stack", "memory_bytes", "limits",
]);
const OPTIMIZER = new Set([
  "name", "learning_rate", "momentum", "nesterov", "beta_1", "beta_2", "rho", "epsilon", "centered", "amsgrad",
  "initial_accumulator_value", "learning_rate_power", "l1_regularization_strength", "l2_regularization_strength",
  "l2_shrinkage_regularization_strength", "beta", "weight_decay", "clipvalue", "schedule", "ema_momentum",
  "ema_overwrite_frequency",
]);

function asked(value: unknown): boolean {
  if (value === null || value === undefined || value === false) return false;
  return typeof value !== "object" || Object.values(value).some(asked);
}

function onlyKnown(values: object, known: ReadonlySet<string>): void {
  for (const [key, value] of Object.entries(values)) {
    if (!known.has(key) && asked(value)) throw new CannotStack(`${key} is asked for`);
  }
}

/** Check that units may train together; raises CannotStack. */
export function checkAlike(recipes: readonly Recipe[]): void {
  const kind = (optimizer: Optimizer): string => {
    const { slotNames, shader } = optimizerRule(optimizer);
    return JSON.stringify([optimizer.name, slotNames, shader]);
  };
  const [first] = recipes;
  for (const recipe of recipes) {
    onlyKnown(recipe, UNIT);
    onlyKnown(recipe.optimizer, OPTIMIZER);
    // Its rate hangs on what an epoch lost, which each unit would have to be asked for at another moment.
    if (recipe.optimizer.schedule?.name === "plateau") throw new CannotStack("the rate waits for a plateau");
    const same =
      recipe.rows === first?.rows &&
      recipe.batch_size === first.batch_size &&
      recipe.steps_per_epoch === first.steps_per_epoch &&
      recipe.loss === first.loss &&
      recipe.from_logits === first.from_logits;
    if (!same || kind(recipe.optimizer) !== kind(first.optimizer)) throw new CannotStack("their recipes differ");
  }
}
