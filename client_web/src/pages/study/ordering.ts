/** Sorting the leaderboard and finding its columns. Pure. */

import type { Direction, LeaderboardRow, Scalar, Study } from "../../protocol/records";
import { parameter } from "../shared/format";
import { parameterText } from "../shared/words";

export interface Order {
  /** `rank`, `trial`, `mean`, `rung`, `state`, or `parameters.<name>`. */
  readonly by: string;
  readonly down: boolean;
}

/** What a board shows, whichever form it has. */
export interface BoardProps {
  readonly study: Study;
  readonly rows: readonly LeaderboardRow[];
  /** The parameters that differ between trials. */
  readonly names: readonly string[];
  readonly metric: string;
  readonly title: string;
  readonly open: (trial: number) => void;
}

export const BY_RANK: Order = { by: "rank", down: false };

/** The parameters worth a column: those in which trials differ, in a steady order. */
export function parameterColumns(rows: readonly LeaderboardRow[]): string[] {
  const values = new Map<string, Set<Scalar>>();
  for (const row of rows) {
    for (const [name, value] of Object.entries(row.parameters)) {
      const seen = values.get(name) ?? new Set();
      seen.add(value);
      values.set(name, seen);
    }
  }
  const names = inOrder([...values.keys()]);
  const searched = names.filter((name) => (values.get(name)?.size ?? 0) > 1);
  return searched.length > 0 ? searched : rows.length > 1 ? [] : names;
}

/** The columns that a study's trials will have, before there are two of them to compare. */
export function columnsToCome({ spec, plan }: Study, rows: readonly LeaderboardRow[]): string[] {
  if (rows.length > 1 || plan.trials < 2) return parameterColumns(rows);
  const searched = Object.entries(spec.parameters ?? {}).filter(([, parameter]) => parameter.kind !== "fixed");
  return searched.length > 0 ? inOrder(searched.map(([name]) => name)) : parameterColumns(rows);
}

function inOrder(names: readonly string[]): string[] {
  return [...names].sort((a, b) => Number(isLayer(a)) - Number(isLayer(b)) || compare(a, b));
}

const isLayer = (name: string): boolean => name.startsWith("layers.");

function valueOf(row: LeaderboardRow, by: string): Scalar | null {
  if (by.startsWith("parameters.")) return row.parameters[by.slice("parameters.".length)] ?? null;
  switch (by) {
    case "trial":
      return row.trial;
    case "mean":
      return row.mean;
    case "rung":
      return row.rung;
    case "state":
      return row.state;
    default:
      return row.rank;
  }
}

function compare(a: Scalar, b: Scalar): number {
  if (typeof a === "string" && typeof b === "string") return a.localeCompare(b, "en");
  return Number(a) - Number(b);
}

/** Rows in order; those without a value come last either way, ties by trial. */
export function sorted(rows: readonly LeaderboardRow[], order: Order): LeaderboardRow[] {
  return [...rows].sort((left, right) => {
    const a = valueOf(left, order.by);
    const b = valueOf(right, order.by);
    if (a === null || b === null) return Number(a === null) - Number(b === null) || left.trial - right.trial;
    return (order.down ? -1 : 1) * compare(a, b) || left.trial - right.trial;
  });
}

/** The order after a click on a column's head: the same column turns round. */
export function clicked(order: Order, by: string): Order {
  return order.by === by ? { by, down: !order.down } : { by, down: false };
}

/** What `aria-sort` says of a column. */
export function ariaSort(order: Order, by: string): "ascending" | "descending" | "none" {
  return order.by !== by ? "none" : order.down ? "descending" : "ascending";
}

/** Trials from the best on: ranked by the coordinator first, then the others by how far they are and how good. */
export function bestFirst(rows: readonly LeaderboardRow[], direction: Direction): number[] {
  const sign = direction === "maximize" ? -1 : 1;
  const finished = (row: LeaderboardRow): number => (row.state === "completed" ? (row.rank ?? Infinity) : Infinity);
  const scored = rows.filter((row) => row.mean !== null && row.state !== "failed");
  return [...scored]
    .sort(
      (a, b) =>
        // Two that are not finished: Infinity less Infinity is NaN, and no order.
        (finished(a) - finished(b) || 0) ||
        (b.rung ?? 0) - (a.rung ?? 0) ||
        sign * ((a.mean ?? 0) - (b.mean ?? 0)) ||
        a.trial - b.trial,
    )
    .map((row) => row.trial);
}

const LETTER_PX = 7.2;
const PADDING_PX = 18;

/** Whether every parameter has room for a column of its own beside the other columns of a board. */
export function columnsFit(names: readonly string[], metric: string, width: number): boolean {
  const column = (text: string, least: number): number => Math.max(text.length + 2, least) * LETTER_PX + PADDING_PX;
  const others = column("#", 3) + column("trial", 7) + column(metric, 15) + column("rung", 7) + column("state", 14);
  return others + names.reduce((sum, name) => sum + column(name, 8), 0) + 2 * PADDING_PX <= width;
}

/** `rung 2 of 3` without its first word; a dash before the first rung is scored. */
export function rungText(row: LeaderboardRow, study: Pick<Study, "spec">): string {
  return row.rung === null ? "–" : `${row.rung + 1} of ${study.spec.rungs?.length ?? 1}`;
}

/** Parameters in one line: `learning rate 0.01 · dense units 64`. */
export function settingsText(row: LeaderboardRow, names: readonly string[]): string {
  return names
    .filter((name) => row.parameters[name] !== undefined)
    .map((name) => `${parameterText(name)} ${parameter(row.parameters[name])}`)
    .join(" · ");
}

/** The trials where they stood, without those that are gone; new ones follow in the order of `wanted`. */
export function steady(stood: readonly number[], wanted: readonly number[]): number[] {
  const there = new Set(wanted);
  const known = new Set(stood);
  return [...stood.filter((trial) => there.has(trial)), ...wanted.filter((trial) => !known.has(trial))];
}
