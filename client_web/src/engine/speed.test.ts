/** Measuring a unit keeps to its time, by a clock that the test moves. */

import "@tensorflow/tfjs-backend-cpu";
import { memory, setBackend } from "@tensorflow/tfjs-core";
import { beforeEach, expect, test } from "vitest";
import { knownAnswerReference } from "./reference";
import { measureUnit } from "./speed";
import { StackedTraining } from "./stacked/training";
import "./own_layers";

const { recipe, bytes } = knownAnswerReference();

/** A clock that moves by so much at every step of training, and not otherwise. */
async function measured(stepMs: number, milliseconds: number): Promise<{ speed: number; steps: number; passed: number }> {
  let now = 0;
  let steps = 0;
  const stock = StackedTraining.prototype.advance;
  StackedTraining.prototype.advance = function (this: StackedTraining): void {
    stock.call(this);
    steps++;
    now += stepMs;
  };
  try {
    const speed = await measureUnit(recipe, bytes, milliseconds, () => now);
    return { speed, steps, passed: now };
  } finally {
    StackedTraining.prototype.advance = stock;
  }
}

beforeEach(async () => {
  await setBackend("cpu");
});

test("a fast unit is measured for as long as was given", async () => {
  const { speed, steps, passed } = await measured(50, 1_000);
  expect(speed).toBeCloseTo((1_000 * recipe.batch_size) / 50);
  expect(passed).toBe(1_000);
  expect(steps).toBe(20);
});

test("a unit whose first step takes longer is measured by that step", async () => {
  const { speed, steps } = await measured(3_000, 1_000);
  expect(speed).toBeCloseTo((1_000 * recipe.batch_size) / 3_000);
  expect(steps).toBe(1);
});

test("measuring leaves the unit's bytes and the backend's memory as they were", async () => {
  const before = new Uint8Array(bytes.checkpoint.slice(0));
  await measured(50, 500);
  const { numTensors } = memory();
  await measured(50, 500);
  expect(memory().numTensors).toBe(numTensors);
  expect(new Uint8Array(bytes.checkpoint)).toEqual(before);
});
