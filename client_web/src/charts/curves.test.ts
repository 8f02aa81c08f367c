import { describe, expect, test } from "vitest";
import type { Curve } from "../protocol/records";
import { curvesOption, labelled, leadersFirst, lossAxisType, lossText, points, tableRows, toCsv, type CurvesInput } from "./curves";
import type { Palette } from "./palette";

const palette: Palette = {
  ink: "#000", soft: "#555", line: "#eee", card: "#fff", claim: "#999", score: "#0a7",
  series: ["#111", "#222"], font: "sans-serif",
};

const curves: Curve[] = [
  { trial: 0, state: "stopped", scores: [{ epoch: 1, value: 0.5 }], claims: [{ epoch: 1, value: 2 }] },
  {
    trial: 1, state: "completed",
    scores: [{ epoch: 1, value: 0.7 }, { epoch: 3, value: 0.9 }],
    claims: [{ epoch: 1, value: 1.5 }, { epoch: 2, value: 0.5 }, { epoch: 3, value: 0.2 }],
  },
];
const input: CurvesInput = { curves, metric: "accuracy", bestTrial: 1, epochs: 3, order: [1, 0] };

interface Series {
  id: string;
  yAxisIndex: number;
  color: string;
  lineStyle: { type?: string };
  data: [number, number][];
}
const series = (): Series[] => curvesOption(input, palette)["series"] as Series[];

describe("learning curves", () => {
  test("claims are dashed, grey and on an axis of their own; scores are solid", () => {
    for (const one of series()) {
      const claim = one.id.startsWith("claim");
      expect(one.lineStyle.type).toBe(claim ? "dashed" : undefined);
      expect(one.yAxisIndex).toBe(claim ? 1 : 0);
      if (claim) expect(one.color).toBe(palette.claim);
    }
  });

  test("the best trial is drawn in the colour of scores", () => {
    expect(series().find((one) => one.id === "score-1")?.color).toBe(palette.score);
  });

  test("the coloured lines are the best trials, whatever their numbers", () => {
    const many = Array.from({ length: 30 }, (_, trial): Curve => ({
      trial, state: "completed", scores: [{ epoch: 3, value: trial / 30 }], claims: [],
    }));
    const order = many.map((curve) => curve.trial).reverse();
    const drawn = curvesOption({ ...input, curves: many, bestTrial: 29, order }, palette)["series"] as Series[];
    const coloured = drawn.filter((one) => one.id.startsWith("score") && one.color !== palette.claim);
    expect(coloured.map((one) => one.id)).toEqual([29, 28, 27, 26, 25, 24, 23, 22].map((n) => `score-${n}`));
  });

  test("no label is printed over another, and the best keeps its own", () => {
    const ending = (trial: number, epoch: number, value: number): Curve => ({
      trial, state: "completed", scores: [{ epoch: 1, value: 0 }, { epoch, value }], claims: [],
    });
    const leaders = [ending(4, 10, 0.99), ending(9, 10, 0.98), ending(2, 3, 0.97), ending(7, 10, 0.5)];
    expect(labelled(leaders, 10)).toEqual(new Set([4, 2, 7]));
    expect(labelled([], 10)).toEqual(new Set());
    expect(labelled([{ ...leaders[0]!, scores: [] }], 10)).toEqual(new Set());
  });

  test("no two leaders share a colour while there is one left", () => {
    const many = [0, 8, 16].map((trial): Curve => ({ ...curves[0]!, trial }));
    const eight: Palette = { ...palette, series: ["#1", "#2", "#3", "#4", "#5", "#6", "#7", "#8"] };
    const drawn = curvesOption({ ...input, curves: many, bestTrial: null }, eight)["series"] as Series[];
    const used = drawn.filter((one) => one.id.startsWith("score")).map((one) => one.color);
    expect(new Set(used).size).toBe(3);
  });

  test("no point is lost on the way into the chart", () => {
    const drawn = series().reduce((sum, one) => sum + one.data.length, 0);
    expect(drawn).toBe(7);
  });

  test("the arrow keys visit the points of the series that they name", () => {
    const all = points(input);
    expect(all).toHaveLength(3);
    for (const point of all) {
      const [epoch] = series()[point.seriesIndex]?.data[point.dataIndex] ?? [];
      expect(point.text).toContain(`epoch ${epoch}`);
    }
  });

  test("the leader comes first and the given curves stay as they were", () => {
    expect(leadersFirst(input).map((c) => c.trial)).toEqual([1, 0]);
    expect(curves.map((c) => c.trial)).toEqual([0, 1]);
  });

  test("a loss of zero keeps the axis linear, a wide span makes it logarithmic", () => {
    const wide: Curve = { ...curves[0]!, claims: [{ epoch: 1, value: 100 }, { epoch: 2, value: 0.1 }] };
    const zero: Curve = { ...wide, claims: [...wide.claims, { epoch: 3, value: 0 }] };
    expect(lossAxisType([wide])).toBe("log");
    expect(lossAxisType([zero])).toBe("value");
    expect(lossAxisType([])).toBe("value");
  });
});

test("a loss beside the axis stays short at any power of ten", () => {
  expect([0, 0.05, 1, 20000, 1e10, 1e-10].map(lossText)).toEqual(["0", "0.05", "1", "20000", "1e10", "1e-10"]);
});

describe("the table behind the chart", () => {
  test("has one row for each trial and epoch, scores and claims side by side", () => {
    expect(tableRows(curves)).toEqual([
      { trial: 0, epoch: 1, score: 0.5, claim: 2 },
      { trial: 1, epoch: 1, score: 0.7, claim: 1.5 },
      { trial: 1, epoch: 2, score: null, claim: 0.5 },
      { trial: 1, epoch: 3, score: 0.9, claim: 0.2 },
    ]);
  });

  test("as CSV leaves cells empty where there is no value", () => {
    expect(toCsv(curves, "F1 (macro)").split("\n").slice(0, 4)).toEqual([
      "trial,epoch,F1_macro__scored,training_loss_claimed", "0,1,0.5,2", "1,1,0.7,1.5", "1,2,,0.5",
    ]);
  });
});
