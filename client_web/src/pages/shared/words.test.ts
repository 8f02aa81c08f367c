import { describe, expect, test } from "vitest";
import { metricText, parameterText, progress } from "./words";

describe("a study's bar", () => {
  test("every live unit is in exactly one part", () => {
    const counts = { blocked: 5, ready: 3, leased: 2, returned: 1, scored: 7, set_aside: 1, cancelled: 4 };
    const parts = progress(counts);
    expect(parts).toEqual({ scored: 7, training: 3, toGo: 8, setAside: 1, cancelled: 4, total: 18 });
    expect(parts.scored + parts.training + parts.toGo).toBe(parts.total);
  });

  test("absent counts are zero", () => {
    expect(progress({}).total).toBe(0);
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
