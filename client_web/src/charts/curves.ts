/** Learning curves -> ECharts options, table rows and CSV. Pure. */

import type { EChartsCoreOption } from "echarts/core";
import type { Curve, CurvePoint } from "../protocol/records";
import type { Palette } from "./palette";

export interface CurvesInput {
  readonly curves: readonly Curve[];
  /** What the scores are, in words. */
  readonly metric: string;
  readonly bestTrial: number | null;
  readonly epochs: number;
  /** Trials, the best first: these are coloured and named. Others follow by their numbers. */
  readonly order: readonly number[];
}

/** Trials with a colour of their own; the others are thin, so that the leaders can be read. */
const COLOURED = 7;

/** The curves in the order of `input.order`, so that colours go to the leaders. */
export function leadersFirst(input: CurvesInput): Curve[] {
  const places = new Map(input.order.map((trial, place) => [trial, place]));
  const place = (curve: Curve): number => places.get(curve.trial) ?? input.order.length;
  return [...input.curves].sort((a, b) => place(a) - place(b) || a.trial - b.trial);
}

/** How near two labels may lie, as parts of the plot's width and height. */
const LABEL = { width: 0.2, height: 0.13 };

/** Trials whose last point has room for a label beside it: of two that would overprint, the better. */
export function labelled(leaders: readonly Curve[], epochs: number): Set<number> {
  const values = leaders.flatMap((curve) => curve.scores.map((point) => point.value));
  const span = Math.max(...values) - Math.min(...values) || 1;
  const kept: { trial: number; x: number; y: number }[] = [];
  for (const { trial, scores } of leaders) {
    const last = scores.at(-1);
    if (last === undefined) continue;
    const [x, y] = [last.epoch / epochs, last.value / span];
    const free = kept.every((k) => Math.abs(k.x - x) >= LABEL.width || Math.abs(k.y - y) >= LABEL.height);
    if (free) kept.push({ trial, x, y });
  }
  return new Set(kept.map((k) => k.trial));
}

const pair = (point: CurvePoint): [number, number] => [point.epoch, point.value];

/** A colour of its own for each leader: the one its number asks for, else the next that is free. */
function colours(leaders: readonly Curve[], palette: Palette): Map<number, string> {
  const free = [...palette.series];
  const given = new Map<number, string>();
  for (const { trial } of leaders) {
    const wanted = palette.series[trial % palette.series.length] ?? palette.ink;
    const at = Math.max(0, free.indexOf(wanted));
    given.set(trial, free.splice(at, 1)[0] ?? wanted);
  }
  return given;
}

function scoreSeries(input: CurvesInput, palette: Palette): object[] {
  const leaders = leadersFirst(input);
  const own = colours(
    leaders.filter((c) => c.trial !== input.bestTrial && c.scores.length > 0).slice(0, COLOURED),
    palette,
  );
  const named = labelled(
    leaders.filter((c) => c.trial === input.bestTrial || own.has(c.trial)),
    input.epochs,
  );
  return leaders.map((curve) => {
    const best = curve.trial === input.bestTrial;
    const coloured = best || own.has(curve.trial);
    const colour = best ? palette.score : (own.get(curve.trial) ?? palette.claim);
    const ended = curve.state === "stopped" || curve.state === "failed";
    return {
      id: `score-${curve.trial}`,
      name: `trial ${curve.trial}`,
      type: "line",
      xAxisIndex: 0,
      yAxisIndex: 0,
      data: curve.scores.map(pair),
      color: colour,
      lineStyle: { width: best ? 3 : coloured ? 1.8 : 1, opacity: coloured ? 1 : 0.55 },
      symbol: "circle",
      symbolSize: best ? 8 : coloured ? 6 : 4,
      z: best ? 5 : coloured ? 3 : 2,
      emphasis: { focus: "none" },
      endLabel: {
        show: named.has(curve.trial),
        formatter: ended && !best ? `${curve.trial} stopped` : `trial ${curve.trial}`,
        color: best ? palette.score : palette.soft,
        distance: 6,
      },
      labelLayout: { hideOverlap: true },
    };
  });
}

function claimSeries(input: CurvesInput, palette: Palette): object[] {
  return input.curves.map((curve) => ({
    id: `claim-${curve.trial}`,
    name: `trial ${curve.trial}, claim`,
    type: "line",
    xAxisIndex: 1,
    yAxisIndex: 1,
    data: curve.claims.map(pair),
    color: palette.claim,
    lineStyle: { width: curve.trial === input.bestTrial ? 2 : 1, type: "dashed" },
    symbol: curve.claims.length > 1 ? "none" : "emptyCircle",
    symbolSize: 4,
    silent: true,
  }));
}

/** Claims run over orders of magnitude; a log axis reads them, where none is zero. */
export function lossAxisType(curves: readonly Curve[]): "log" | "value" {
  const values = curves.flatMap((curve) => curve.claims.map((point) => point.value));
  const low = Math.min(...values);
  return values.length > 0 && low > 0 && Math.max(...values) / low > 50 ? "log" : "value";
}

/** A loss beside its axis, short at any power of ten: `0.05`, `1e-10`. */
export function lossText(value: number): string {
  const size = Math.abs(value);
  return size !== 0 && (size < 0.001 || size >= 1e5) ? value.toExponential(0).replace("e+", "e") : String(value);
}

/** Two panels over one epoch axis: scores, solid, above; donors' training losses, dashed, below. */
export function curvesOption(input: CurvesInput, palette: Palette): EChartsCoreOption {
  const text = { color: palette.soft, fontFamily: palette.font, fontSize: 12 };
  const xAxis = {
    type: "value", min: 0, max: input.epochs, minInterval: 1,
    axisLine: { lineStyle: { color: palette.line } },
    axisTick: { show: false },
    splitLine: { show: false },
  };
  const yAxis = {
    scale: true,
    nameTextStyle: { ...text, align: "left" },
    nameGap: 10,
    axisLine: { show: false },
    axisTick: { show: false },
    axisLabel: text,
    splitLine: { lineStyle: { color: palette.line } },
  };
  return {
    animation: false,
    textStyle: text,
    grid: [
      { left: 48, right: 76, top: 30, height: "50%" },
      { left: 48, right: 76, top: "69%", bottom: 38 },
    ],
    xAxis: [
      { ...xAxis, gridIndex: 0, axisLabel: { show: false } },
      { ...xAxis, gridIndex: 1, axisLabel: text, name: "epoch", nameLocation: "middle", nameGap: 24, nameTextStyle: text },
    ],
    yAxis: [
      { ...yAxis, type: "value", gridIndex: 0, name: input.metric },
      {
        ...yAxis,
        type: lossAxisType(input.curves),
        gridIndex: 1,
        splitNumber: 2,
        name: "training loss (claims)",
        axisLabel: { ...text, formatter: lossText },
      },
    ],
    tooltip: {
      trigger: "item",
      // Drawn into the canvas: a tooltip of HTML brings inline styles, which the policy refuses.
      renderMode: "richText",
      backgroundColor: palette.card,
      borderColor: palette.line,
      textStyle: { ...text, color: palette.ink },
      formatter: (point: { seriesName: string; value: [number, number] }) => pointText(point.seriesName, point.value),
    },
    series: [...scoreSeries(input, palette), ...claimSeries(input, palette)],
  };
}

function pointText(name: string, [epoch, value]: readonly [number, number]): string {
  return `${name}, epoch ${epoch}: ${Number(value.toPrecision(4))}`;
}

export interface Point {
  readonly seriesIndex: number;
  readonly dataIndex: number;
  readonly text: string;
}

/** Every scored point, in the order in which the arrow keys visit them. */
export function points(input: CurvesInput): Point[] {
  return leadersFirst(input).flatMap((curve, seriesIndex) =>
    curve.scores.map((point, dataIndex) => ({
      seriesIndex,
      dataIndex,
      text: pointText(`trial ${curve.trial}`, pair(point)),
    })),
  );
}

export interface CurveRow {
  readonly trial: number;
  readonly epoch: number;
  readonly score: number | null;
  readonly claim: number | null;
}

/** One row for each trial and epoch: the table behind the chart. */
export function tableRows(curves: readonly Curve[]): CurveRow[] {
  return [...curves]
    .sort((a, b) => a.trial - b.trial)
    .flatMap((curve) => {
      const scores = new Map(curve.scores.map(pair));
      const claims = new Map(curve.claims.map(pair));
      const epochs = [...new Set([...scores.keys(), ...claims.keys()])].sort((a, b) => a - b);
      return epochs.map((epoch) => ({
        trial: curve.trial,
        epoch,
        score: scores.get(epoch) ?? null,
        claim: claims.get(epoch) ?? null,
      }));
    });
}

/** The same rows as CSV, at full precision. */
export function toCsv(curves: readonly Curve[], metric: string): string {
  const head = `trial,epoch,${metric.replaceAll(/[^a-zA-Z0-9]+/g, "_")}_scored,training_loss_claimed`;
  const lines = tableRows(curves).map((r) => [r.trial, r.epoch, r.score ?? "", r.claim ?? ""].join(","));
  return [head, ...lines, ""].join("\n");
}
