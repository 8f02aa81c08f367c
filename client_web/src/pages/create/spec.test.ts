import { describe, expect, test } from "vitest";
import { concerns, emptyDraft, makeSpec, rungsOf, sentence, stepOf, type Draft } from "./spec";

const ready: Draft = { ...emptyDraft(), modelId: "m", datasetId: "d", name: " Wheat ", rowsArePublic: true };

describe("a draft becomes a specification", () => {
  test("what is left to the coordinator is null, percentages become fractions", () => {
    const { spec, problems } = makeSpec(ready);
    expect(problems).toEqual({});
    expect(spec.name).toBe("Wheat");
    expect(spec.pipeline?.split).toEqual({ validation: 0.2, test: 0.2, folds: null, stratify: true, seed: 0, duplicates: null });
    expect(spec.pipeline?.target).toBeNull();
    expect(spec.objective).toEqual({ metric: null, direction: null });
    expect(spec.rungs).toEqual([3, 9]);
  });

  test("folds and a validation split exclude each other", () => {
    const split = makeSpec({ ...ready, split: "folds", folds: "4" }).spec.pipeline?.split;
    expect(split?.folds).toBe(4);
    expect(split?.validation).toBeNull();
  });

  test("a fold count typed under the other choice is no problem", () => {
    expect(makeSpec({ ...ready, folds: "many" }).problems).toEqual({});
    expect(makeSpec({ ...ready, split: "folds", folds: "many" }).problems).toHaveProperty("folds");
  });

  test("unticked, unnamed and mistyped fields are named", () => {
    const draft = { ...ready, name: " ", rowsArePublic: false, trials: "1.5", test: "100" };
    expect(Object.keys(makeSpec(draft).problems).sort()).toEqual(["name", "rows_are_public", "test", "trials"]);
  });

  test("rows need not be public where not everyone may train", () => {
    const closed = { ...ready, rowsArePublic: false, groupId: "gr_1" };
    expect(makeSpec({ ...closed, donors: "mine" })).toMatchObject({ problems: {}, spec: { donors: "mine", group_id: null } });
    expect(makeSpec({ ...closed, donors: "group" })).toMatchObject({ problems: {}, spec: { group_id: "gr_1" } });
    const { problems } = makeSpec({ ...closed, donors: "group", groupId: "" });
    expect(Object.keys(problems)).toEqual(["group_id"]);
    expect(stepOf("group_id")).toBe("data");
  });

  test("options of the loss are numbers, a switch or nothing", () => {
    const lossOptions = { gamma: "1.5", alpha: " ", apply_class_balancing: "yes" };
    expect(makeSpec({ ...ready, lossOptions }).spec.loss_options).toEqual({ gamma: 1.5, apply_class_balancing: true });
    const { problems } = makeSpec({ ...ready, lossOptions: { delta: "much" } });
    expect(Object.keys(problems)).toEqual(["loss_options.delta"]);
    expect(stepOf("loss_options.delta")).toBe("data");
  });

  test("rows weigh by class or by a column, never by both", () => {
    const weighted = { ...ready, weightColumn: "importance" };
    const asked = (weights: Draft["weights"]) => {
      const { class_weight, pipeline } = makeSpec({ ...weighted, weights }).spec;
      return [class_weight, pipeline?.sample_weight];
    };
    expect(asked("none")).toEqual([null, null]);
    expect(asked("balanced")).toEqual(["balanced", null]);
    expect(asked("column")).toEqual([null, "importance"]);
  });

  test("a draft survives being stored as text", () => {
    expect(makeSpec(JSON.parse(JSON.stringify(ready)) as Draft)).toEqual(makeSpec(ready));
  });

  test("rungs are shown only while their numbers make sense", () => {
    expect(rungsOf({ ...ready, epochs: "27", rungs: "3" })).toEqual([3, 9, 27]);
    expect(rungsOf({ ...ready, epochs: "" })).toEqual([]);
  });
});

describe("a refusal finds its field", () => {
  const at = (where: string) => ({ code: "c", message: "m", where });

  test("with or without the path before it", () => {
    expect(concerns(at("pipeline.target"), "target")).toBe(true);
    expect(concerns(at("target"), "target")).toBe(true);
    expect(concerns(at("parameters.layers.dense.units"), "parameters.layers.dense.units")).toBe(true);
    expect(concerns(at("layers.dense.units"), "parameters.layers.dense.units")).toBe(true);
    expect(concerns(at("features"), "target")).toBe(false);
    expect(concerns(undefined, "target")).toBe(false);
  });

  test("and reads as one line, without what is empty", () => {
    const error = { code: "c", message: "Too many folds.", expected: "at most 9", got: "", hint: "Ask for fewer." };
    expect(sentence(error)).toBe("Too many folds. Expected: at most 9. Ask for fewer.");
  });

  test("and its step", () => {
    expect(stepOf("pipeline.split.folds")).toBe("data");
    expect(stepOf("parameters.learning_rate")).toBe("search");
    expect(stepOf("layers.dense_9.units")).toBe("search");
    expect(stepOf("model_id")).toBe("model");
    expect(stepOf("group1-shard1of1.bin")).toBeNull();
  });
});
