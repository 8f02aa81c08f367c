/** Sorting the leaderboard and finding its columns. Pure. */

import type { LeaderboardRow, Scalar } from "../../protocol/records";

export interface Order {
  /** `rank`, `trial`, `mean`, `rung`, `state`, or `parameters.<name>`. */
  readonly by: string;
  readonly down: boolean;
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
  const names = [...values.keys()].sort((a, b) => Number(isLayer(a)) - Number(isLayer(b)) || compare(a, b));
  const searched = names.filter((name) => (values.get(name)?.size ?? 0) > 1);
  return searched.length > 0 ? searched : rows.length > 1 ? [] : names;
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
