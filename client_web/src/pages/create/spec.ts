/** What the four steps hold, and the specification that it makes. Pure. */

import type { ErrorDetail } from "../../protocol/messages";
import type { Direction, DonorsOf, LossName, MetricName, StudySpec, Task } from "../../protocol/records";
import type { ParameterForm } from "./form";
import { readSpace, rungEpochs } from "./space";
import { allTrainingForms } from "./training_forms";

/** `auto`: the coordinator infers it and shows what it took. Numbers stay text as typed. */
export interface Draft {
  modelId: string;
  datasetId: string;
  name: string;
  description: string;
  target: string;
  /** Null: every column but the target, row numbers and ids. */
  features: string[] | null;
  task: Task | "auto";
  scaling: "auto" | "standard" | "minmax" | "none";
  split: "validation" | "folds";
  validation: string;
  test: string;
  folds: string;
  stratify: boolean;
  /** Rows with equal features: in one part, or free to part. */
  duplicates: "auto" | "together" | "free";
  loss: LossName | "auto";
  /** By the wire's names, as typed; empty is the loss's own default. */
  lossOptions: Record<string, string>;
  weights: "none" | "balanced" | "column";
  weightColumn: string;
  metric: MetricName | "auto";
  direction: Direction | "auto";
  init: "auto" | "fresh" | "uploaded";
  visibility: "public" | "private";
  /** Who may train it; with `group`, which one. */
  donors: DonorsOf;
  groupId: string;
  rowsArePublic: boolean;
  sampler: "random" | "grid";
  trials: string;
  epochs: string;
  rungs: string;
  repeats: string;
  seed: string;
  parameters: ParameterForm[];
}

export function emptyDraft(): Draft {
  return {
    modelId: "", datasetId: "", name: "", description: "", target: "", features: null,
    task: "auto", scaling: "auto", split: "validation", validation: "20", test: "20", folds: "5",
    stratify: true, duplicates: "auto", loss: "auto", lossOptions: {}, weights: "none", weightColumn: "", metric: "auto", direction: "auto", init: "auto",
    visibility: "public", donors: "everyone", groupId: "", rowsArePublic: false, sampler: "random", trials: "12", epochs: "9",
    rungs: "2", repeats: "1", seed: "0", parameters: allTrainingForms(),
  };
}

/** What is wrong, by field; a parameter's under `parameters.<key>`. */
export type Problems = Readonly<Record<string, string>>;

export interface Made {
  readonly spec: StudySpec;
  readonly problems: Problems;
}

class Reader {
  readonly problems: Record<string, string> = {};

  whole(field: string, text: string, low: number, high: number): number {
    const value = Number(text);
    if (text.trim() === "" || !Number.isInteger(value) || value < low || value > high) {
      this.problems[field] = `A whole number from ${low} to ${high}.`;
      return low;
    }
    return value;
  }

  percent(field: string, text: string, low: number): number {
    const value = Number(text);
    if (text.trim() === "" || !(value >= low && value < 100)) {
      this.problems[field] = `A percentage from ${low} to less than 100.`;
      return low / 100;
    }
    return value / 100;
  }
}

/** Read the typed options of a loss; the switch among them is written as a word. */
function lossOptions(reader: Reader, typed: Draft["lossOptions"]): StudySpec["loss_options"] {
  const read: Record<string, number | boolean> = {};
  for (const [name, text] of Object.entries(typed)) {
    if (text.trim() === "") continue;
    const value = Number(text);
    if (name === "apply_class_balancing") read[name] = text === "yes";
    else if (Number.isFinite(value)) read[name] = value;
    else reader.problems[`loss_options.${name}`] = "A number.";
  }
  return read;
}

const known = <T extends string>(value: T | "auto"): T | null => (value === "auto" ? null : value);

/** The rungs that the draft asks for; empty while its numbers make no sense. */
export function rungsOf(draft: Draft): number[] {
  const reader = new Reader();
  const epochs = reader.whole("epochs", draft.epochs, 1, 100_000);
  const count = reader.whole("rungs", draft.rungs, 1, 12);
  return Object.keys(reader.problems).length > 0 ? [] : rungEpochs(epochs, count);
}

/** Make the specification; what makes no sense is a problem, with the nearest sense in its place. */
export function makeSpec(draft: Draft): Made {
  const reader = new Reader();
  const folded = draft.split === "folds";
  const space = readSpace(draft.parameters);
  const epochs = reader.whole("epochs", draft.epochs, 1, 100_000);
  const rungs = reader.whole("rungs", draft.rungs, 1, 12);
  const spec: StudySpec = {
    name: draft.name.trim() || "Untitled study",
    description: draft.description.trim(),
    model_id: draft.modelId,
    dataset_id: draft.datasetId,
    pipeline: {
      target: draft.target || null,
      features: draft.features,
      task: known(draft.task),
      scaling: known(draft.scaling),
      sample_weight: draft.weights === "column" ? draft.weightColumn || null : null,
      split: {
        validation: folded ? null : reader.percent("validation", draft.validation, 1),
        test: reader.percent("test", draft.test, 0),
        folds: folded ? reader.whole("folds", draft.folds, 2, 1000) : null,
        stratify: draft.stratify,
        seed: 0,
        duplicates: known(draft.duplicates),
      },
    },
    objective: { metric: known(draft.metric), direction: known(draft.direction) },
    loss: known(draft.loss),
    loss_options: lossOptions(reader, draft.lossOptions),
    class_weight: draft.weights === "balanced" ? "balanced" : null,
    parameters: space.parameters,
    sampler: draft.sampler,
    trials: reader.whole("trials", draft.trials, 1, 10_000),
    repeats: reader.whole("repeats", draft.repeats, 1, 20),
    rungs: rungEpochs(epochs, rungs),
    init: known(draft.init),
    seed: reader.whole("seed", draft.seed, 0, 2 ** 32 - 1),
    visibility: draft.visibility,
    donors: draft.donors,
    group_id: draft.donors === "group" ? draft.groupId || null : null,
    rows_are_public: draft.rowsArePublic,
  };
  if (draft.name.trim() === "") reader.problems["name"] = "Give the study a name.";
  if (draft.donors === "everyone" && !draft.rowsArePublic) {
    reader.problems["rows_are_public"] = "Tick the box in the data step: donors train on encoded rows, so they become public.";
  }
  if (draft.donors === "group" && draft.groupId === "") reader.problems["group_id"] = "Choose a group.";
  for (const [key, message] of Object.entries(space.problems)) reader.problems[`parameters.${key}`] = message;
  return { spec, problems: reader.problems };
}

/** Whether a refusal speaks of this field: `where` may carry a path before or behind the name. */
export function concerns(error: ErrorDetail | undefined, field: string): boolean {
  const where = error?.where ?? "";
  const last = field.startsWith("parameters.") ? field.slice("parameters.".length) : field;
  return where === field || where === last || where.endsWith(`.${last}`) || where.startsWith(`${field}.`);
}

/** A refusal as one line beside its field: what is wrong, what was expected, what to do. */
export function sentence(error: ErrorDetail): string {
  const expected = error.expected ? `Expected: ${error.expected}.` : "";
  const got = error.got ? `Got: ${error.got}.` : "";
  return [error.message, expected, got, error.hint ?? ""].filter(Boolean).join(" ");
}

export const STEPS = ["model", "data", "search", "review"] as const;
export type Step = (typeof STEPS)[number];

const FIELDS_OF: Readonly<Record<Exclude<Step, "review">, readonly string[]>> = {
  model: ["model_id", "files"],
  data: [
    "dataset_id", "target", "features", "task", "scaling", "split", "validation", "test", "folds",
    "stratify", "duplicates", "loss", "loss_options", "class_weight", "sample_weight", "metric", "direction", "objective", "visibility", "donors", "group_id", "rows_are_public",
  ],
  search: ["parameters", "sampler", "trials", "repeats", "rungs", "epochs", "init", "seed"],
};

/** Fields by the words beside them, where their own name does not say it. */
export const LABELS: Readonly<Record<string, string>> = {
  model_id: "Model",
  dataset_id: "Dataset",
  name: "Name of the study",
  rows_are_public: "Encoded training rows",
  donors: "Who may train it",
  group_id: "Group",
  class_weight: "Weights of rows",
  sample_weight: "Weights of rows",
  metric: "Rank trials by",
  loss: "Training loss",
  validation: "Validation share",
  test: "Test share",
  init: "Initial weights",
};

/** The step that holds the field a refusal or a problem names; null where none does. */
export function stepOf(where: string): Step | null {
  if (where.startsWith("parameters.") || where.startsWith("layers.")) return "search";
  if (where.startsWith("loss_options.")) return "data";
  for (const [step, fields] of Object.entries(FIELDS_OF)) {
    if (fields.some((field) => where === field || where.endsWith(`.${field}`))) return step as Step;
  }
  return null;
}
