import { describe, expect, test } from "vitest";
import type { LeaderboardRow, Study } from "../../protocol/records";
import { ariaSort, bestFirst, BY_RANK, clicked, columnsFit, columnsToCome, parameterColumns, settingsText, sorted, steady } from "./ordering";

function row(trial: number, rank: number | null, parameters: LeaderboardRow["parameters"] = {}): LeaderboardRow {
  const mean = rank === null ? null : 1 - rank / 10;
  return {
    rank, trial, state: rank === null ? "running" : "completed", rung: rank === null ? null : 2,
    epochs: 9, mean, spread: null, n: 1, claim_loss: null, parameters, reason: "", activity: null,
  };
}

const rows = [row(1, null), row(2, 2), row(3, 1), row(4, null)];
const trials = (list: LeaderboardRow[]): number[] => list.map((r) => r.trial);

describe("sorting the leaderboard", () => {
  test("ranked trials come first, the others by number", () => {
    expect(trials(sorted(rows, BY_RANK))).toEqual([3, 2, 1, 4]);
  });

  test("trials without a value stay last when the order turns", () => {
    expect(trials(sorted(rows, { by: "rank", down: true }))).toEqual([2, 3, 1, 4]);
    expect(trials(sorted(rows, { by: "mean", down: true }))).toEqual([3, 2, 1, 4]);
  });

  test("numbers sort as numbers and words as words", () => {
    const list = [
      row(1, null, { units: 128, optimizer: "sgd" }),
      row(2, null, { units: 16, optimizer: "adam" }),
    ];
    expect(trials(sorted(list, { by: "parameters.units", down: false }))).toEqual([2, 1]);
    expect(trials(sorted(list, { by: "parameters.optimizer", down: false }))).toEqual([2, 1]);
  });

  test("sorting leaves the given rows as they were", () => {
    sorted(rows, { by: "trial", down: true });
    expect(trials(rows)).toEqual([1, 2, 3, 4]);
  });

  test("a second click turns the order round, and aria-sort says so", () => {
    const once = clicked(BY_RANK, "mean");
    expect(ariaSort(once, "mean")).toBe("ascending");
    expect(ariaSort(clicked(once, "mean"), "mean")).toBe("descending");
    expect(ariaSort(once, "rank")).toBe("none");
  });
});

describe("parameter columns", () => {
  test("only parameters in which trials differ get a column, layers last", () => {
    const list = [
      row(1, null, { "layers.a.units": 1, learning_rate: 0.1, batch_size: 32 }),
      row(2, null, { "layers.a.units": 2, learning_rate: 0.2, batch_size: 32 }),
    ];
    expect(parameterColumns(list)).toEqual(["learning_rate", "layers.a.units"]);
  });

  test("what is searched has its column before two trials differ in it, and no more once they do not", () => {
    const parameters: Study["spec"]["parameters"] = {
      "layers.a.units": { kind: "int", low: 1, high: 9, step: 1, log: false },
      batch_size: { kind: "fixed", value: 32 },
      learning_rate: { kind: "choice", choices: [0.1, 0.2] },
    };
    const of = (trials: number) => ({ spec: { parameters }, plan: { trials } }) as Study;
    const first = row(1, null, { "layers.a.units": 1, learning_rate: 0.1, batch_size: 32 });
    const second = row(2, null, { "layers.a.units": 1, learning_rate: 0.2, batch_size: 32 });
    expect(columnsToCome(of(2), [])).toEqual(["learning_rate", "layers.a.units"]);
    expect(columnsToCome(of(2), [first])).toEqual(["learning_rate", "layers.a.units"]);
    expect(columnsToCome(of(2), [first, second])).toEqual(["learning_rate"]);
    expect(columnsToCome(of(1), [first])).toEqual(parameterColumns([first]));
  });
});

describe("the best trials first", () => {
  test("finished ones by rank, then the others by rung and score, failed ones and those without a score never", () => {
    const at = (trial: number, rung: number, mean: number, state: LeaderboardRow["state"]): LeaderboardRow => ({
      ...row(trial, null), rung, mean, state, rank: state === "stopped" ? 9 : null,
    });
    const list = [
      row(0, null), row(8, 2), row(3, 1),
      at(5, 0, 0.99, "running"), at(6, 1, 0.7, "running"), at(7, 1, 0.8, "stopped"), at(9, 2, 0.9, "failed"),
    ];
    expect(bestFirst(list, "maximize")).toEqual([3, 8, 7, 6, 5]);
    expect(bestFirst(list, "minimize")).toEqual([3, 8, 6, 7, 5]);
  });
});

describe("a board's width", () => {
  const names = ["learning rate", "batch size", "dense units", "dropout rate"];

  test("parameters get columns where all of them fit, else one that wraps", () => {
    expect(columnsFit(names.slice(0, 1), "accuracy", 1084)).toBe(true);
    expect(columnsFit(names, "accuracy", 1124)).toBe(true);
    expect(columnsFit(names, "accuracy", 572)).toBe(false);
    expect(columnsFit([...names, ...names], "accuracy", 1124)).toBe(false);
  });

  test("one line names every parameter that the trial has", () => {
    const one = row(1, 1, { learning_rate: 0.00211, "layers.a.units": 64 });
    expect(settingsText(one, ["learning_rate", "layers.a.units", "dropout"])).toBe("learning rate 2.11e-3 · a units 64");
  });
});

describe("rows that stand still", () => {
  test("keep their places, lose who is gone, and are followed by who is new", () => {
    expect(steady([3, 1, 2], [1, 4, 3, 5])).toEqual([3, 1, 4, 5]);
    expect(steady([], [2, 1])).toEqual([2, 1]);
  });
});
