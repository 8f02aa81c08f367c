/** How fast the present backend trains: the reference, or a unit itself. */

import { speedReference } from "./reference";
import { openUnit, type Party } from "./stacked/party";
import type { Recipe, TrainingBytes } from "./training";

/** Measuring the reference takes this long, once its first step is done. */
const MEASURE_MS = 300;

type Now = () => number;

/** A GPU only takes the work; waiting now and then keeps the clock honest. */
async function train(party: Party, goOn: () => boolean): Promise<number> {
  let steps = 0;
  do {
    party.advance();
    if (++steps % 4 === 0) await party.losses();
  } while (goOn());
  await party.losses();
  return steps;
}

/** Measure samples per second of the reference. */
export async function measureSpeed(now: Now = () => performance.now()): Promise<number> {
  const { recipe, bytes } = speedReference();
  const party = await openUnit(recipe, bytes);
  try {
    party.advance();
    await party.losses();
    const started = now();
    const steps = await train(party, () => now() - started < MEASURE_MS);
    return (1000 * steps * recipe.batch_size) / (now() - started);
  } finally {
    party.dispose();
  }
}

/**
 * Measure samples per second of a unit in about `milliseconds`, its opening and first step included; the
 * unit itself stays as it is. Where the first step takes longer than that, it is all there is to go by.
 */
export async function measureUnit(
  recipe: Recipe,
  bytes: TrainingBytes,
  milliseconds: number,
  now: Now = () => performance.now(),
): Promise<number> {
  const begun = now();
  const party = await openUnit(recipe, bytes);
  try {
    const opened = now();
    party.advance();
    await party.losses();
    const warm = now();
    if (warm - begun >= milliseconds) return (1000 * recipe.batch_size) / (warm - opened);
    const steps = await train(party, () => now() - begun < milliseconds);
    return (1000 * steps * recipe.batch_size) / (now() - warm);
  } finally {
    party.dispose();
  }
}
