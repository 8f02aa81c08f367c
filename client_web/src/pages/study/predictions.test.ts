import { describe, expect, test } from "vitest";
import { certainty, predictionsCsv, right } from "./predictions";

const hit = { row: 4, truth: "cat, tame", predicted: "cat, tame", probabilities: { "cat, tame": 0.9, dog: 0.1 } };
const miss = { row: 7, truth: "dog", predicted: "cat, tame", probabilities: { "cat, tame": 0.6, dog: 0.4 } };

describe("predictions", () => {
  test("a label is right whether it came as text or as a number", () => {
    expect(right({ row: 0, truth: 3, predicted: "3", probabilities: null })).toBe(true);
    expect(right(miss)).toBe(false);
  });

  test("certainty is the probability of the answer, not of the truth", () => {
    expect(certainty(miss)).toBe(0.6);
    expect(certainty({ row: 0, truth: 1.5, predicted: 1.4, probabilities: null })).toBeNull();
  });

  test("CSV quotes commas and keeps one column a class", () => {
    expect(predictionsCsv([hit, miss]).split("\n")).toEqual([
      'row,truth,predicted,"probability of cat, tame",probability of dog',
      '4,"cat, tame","cat, tame",0.9,0.1',
      '7,dog,"cat, tame",0.6,0.4',
      "",
    ]);
  });
});
