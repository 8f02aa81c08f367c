/**
 * A micro-training whose result is known: it finds broken GPUs before they cost anybody anything.
 *
 * The answer in known_answer.gen.json was computed once on TF.js's CPU backend
 * (`UPDATE_KNOWN_ANSWER=1 npx vitest run src/engine/known_answer.test.ts`).
 */

import type { HostTensor } from "./safetensors";
import answer from "./known_answer.gen.json";
import { knownAnswerReference } from "./reference";
import { StackedTraining } from "./stacked/training";
import { Training } from "./training";

export const KNOWN_ANSWER_STEPS = 6;

/**
 * Largest distance to the answer for each weight, relative to its largest element. Float32 in another
 * order of sums stays below 1e-5 here; a kernel that is wrong by a hundredth is far above.
 */
export const KNOWN_ANSWER_TOLERANCE = 1e-4;

type Weights = ReadonlyMap<string, HostTensor>;

/** Train the reference on the present backend, by TF.js's kernels and ours, and give its weights. */
export async function knownAnswerWeights(): Promise<Weights> {
  const { recipe, bytes } = knownAnswerReference();
  const training = await Training.open(recipe, bytes);
  try {
    for (let step = 0; step < KNOWN_ANSWER_STEPS; step++) training.advance();
    return (await training.state()).weights;
  } finally {
    training.dispose();
  }
}

/** Train two of it as one graph, which goes other ways on every backend; give the weights of each. */
export async function stackedAnswerWeights(): Promise<Weights[]> {
  const unit = knownAnswerReference();
  const training = await StackedTraining.open([unit, unit]);
  try {
    for (let step = 0; step < KNOWN_ANSWER_STEPS; step++) training.advance();
    return (await training.states()).map(({ weights }) => weights);
  } finally {
    training.dispose();
  }
}

/** Give the largest relative distance between two sets of weights; NaN counts as infinitely far. */
export function weightDistance(
  got: ReadonlyMap<string, { readonly data: ArrayLike<number> }>,
  expected: Readonly<Record<string, readonly number[]>>,
): number {
  let worst = 0;
  for (const [name, values] of Object.entries(expected)) {
    const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6);
    values.forEach((value, i) => {
      const difference = Math.abs(value - (got.get(name)?.data[i] ?? Number.NaN)) / largest;
      worst = Math.max(worst, Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference);
    });
  }
  return worst;
}

/** Say whether the present backend trains rightly, alone and together. */
export async function trainsRightly(): Promise<boolean> {
  const found = [await knownAnswerWeights(), ...(await stackedAnswerWeights())];
  return found.every((weights) => weightDistance(weights, answer) <= KNOWN_ANSWER_TOLERANCE);
}
