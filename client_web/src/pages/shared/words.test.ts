import { describe, expect, test } from "vitest";
import { metricText, parameterText, progress, trialWord } from "./words";

describe("a study's bar", () => {
  test("every live unit is in exactly one part", () => {
    const counts = { blocked: 5, ready: 3, leased: 2, returned: 1, scored: 7, set_aside: 1, cancelled: 4 };
    const parts = progress({ counts, units_planned: 19 });
    expect(parts).toEqual({
      scored: 7, beingScored: 1, training: 2, toGo: 8, setAside: 1, cancelled: 4, total: 19,
    });
    expect(parts.scored + parts.beingScored + parts.training + parts.toGo + parts.setAside).toBe(parts.total);
  });

  test("units that are still to be made are to go", () => {
    const parts = progress({ counts: { scored: 7, leased: 6, ready: 5 }, units_planned: 144 });
    expect([parts.scored, parts.training, parts.toGo, parts.total]).toEqual([7, 6, 131, 144]);
  });

  test("absent counts are zero", () => {
    expect(progress({ counts: {} }).total).toBe(0);
  });
});

describe("a trial's state", () => {
  test("a running trial trains only while a donor has one of its units", () => {
    expect(trialWord({ state: "running", activity: "waiting" }).text).toBe("waiting");
    expect(trialWord({ state: "running", activity: "training" }).text).toBe("training");
    expect(trialWord({ state: "running", activity: "being_scored" }).text).toBe("being scored");
    expect(trialWord({ state: "completed", activity: null }).text).toBe("finished");
    expect(trialWord({ state: "completed", activity: null, check: "confirmed" }).text).toBe("confirmed");
    expect(trialWord({ state: "completed", activity: null, check: "checking" }).text).toBe("being checked");
  });
});

describe("names for people", () => {
  test("a layer's field names its layer first", () => {
    expect(parameterText("layers.dense_1.units")).toBe("dense_1 units");
    expect(parameterText("learning_rate")).toBe("learning rate");
  });

  test("a metric that the page does not know is still readable", () => {
    expect(metricText("f1_macro")).toBe("F1 (macro)");
    expect(metricText("top_7_accuracy")).toBe("top 7 accuracy");
  });
});
