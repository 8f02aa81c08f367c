import { describe, expect, test } from "vitest";
import type { Study } from "../../protocol/records";
import { filtered } from "./filter";

function study(name: string, created_at: number, state: Study["state"]): Study {
  return { name, created_at, state, submitter: "the lab", model_name: "cnn", dataset_name: "digits" } as Study;
}

const studies = [study("Old digits", 1, "completed"), study("New wheat", 3, "running"), study("Mid digits", 2, "running")];
const names = (list: Study[]): string[] => list.map((s) => s.name);

describe("the gallery", () => {
  test("shows the newest first", () => {
    expect(names(filtered(studies, { text: "", state: "all" }))).toEqual(["New wheat", "Mid digits", "Old digits"]);
  });

  test("finds every word in any order and case, in the name or beside it", () => {
    expect(names(filtered(studies, { text: "DIGITS mid", state: "all" }))).toEqual(["Mid digits"]);
    expect(names(filtered(studies, { text: "lab wheat", state: "all" }))).toEqual(["New wheat"]);
    expect(filtered(studies, { text: "digits barley", state: "all" })).toEqual([]);
  });

  test("narrows to one state", () => {
    expect(names(filtered(studies, { text: "", state: "completed" }))).toEqual(["Old digits"]);
  });
});
