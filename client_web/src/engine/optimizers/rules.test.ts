/**
 * Every optimizer, clipping, decay, average and schedule, as a loop over memory, against what Keras 3 made of
 * the same gradients (tests/vectors). The bound holds float32's rounding; a rate wrong by a fiftieth breaks it.
 */

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Optimizer } from "../../protocol/messages";
import { rateAt } from "../schedules/rates";
import { optimizerRule, scaleOf } from "./rules";

type Lists = readonly (readonly number[])[];

interface Made {
  readonly weights: Lists;
  readonly final: Lists;
}

interface Vectors {
  readonly steps_per_epoch: number;
  readonly start: Lists;
  readonly gradients: readonly Lists[];
  readonly cases: Readonly<Record<string, Made & { readonly optimizer: Optimizer }>>;
}

const TOLERANCE = 2e-5;
const vectors = JSON.parse(
  readFileSync(new URL("../../../../tests/vectors/optimizers.json", import.meta.url), "utf8"),
) as Vectors;
const CASES = Object.entries(vectors.cases);

function squares(gradients: Lists): number {
  return gradients.flat().reduce((total, value) => total + value * value, 0);
}

/** Take the steps of the vectors. */
function train(optimizer: Optimizer): Made {
  const rule = optimizerRule(optimizer);
  const all = vectors.start.map((weight) => ({
    weight: Float32Array.from(weight),
    slots: rule.initial.map((value) => new Float32Array(weight.length).fill(value)),
  }));
  vectors.gradients.forEach((gradients, step) => {
    const constants = rule.constants(step + 1, rateAt(optimizer, vectors.steps_per_epoch, step, null));
    all.forEach((own, index) => {
      const given = gradients[index] ?? [];
      const of = rule.clipping?.of === "all" ? gradients : [given];
      const scale = rule.clipping === null ? 1 : scaleOf(rule.clipping, squares(of));
      const gradient = Float32Array.from(given, (value) => value * scale);
      const next = new Float32Array(given.length);
      rule.onHost({ next, weight: own.weight, gradient, slots: own.slots }, constants);
      own.weight = next;
    });
  });
  const averages = rule.slotNames.indexOf("average");
  return {
    weights: all.map(({ weight }) => [...weight]),
    final: all.map(({ weight, slots }) => [...(slots[averages] ?? weight)]),
  };
}

function apart(made: Made, right: Made): number {
  const [a, b] = [made, right].map(({ weights, final }) => [...weights, ...final].flat());
  return Math.max(...(a ?? []).map((value, i) => Math.abs(value - (b?.[i] ?? NaN))));
}

describe.each(CASES)("%s", (_, right) => {
  test("ends where Keras ends; with a rate wrong by a fiftieth it does not", () => {
    const { optimizer } = right;
    expect(apart(train(optimizer), right)).toBeLessThan(TOLERANCE);
    const wrong = { ...optimizer, learning_rate: 1.02 * optimizer.learning_rate };
    expect(apart(train(wrong), right)).toBeGreaterThan(3 * TOLERANCE);
  });
});
