/** The words and tones of states, metrics and tasks: one place, so that pages agree. */

import type {
  Check,
  LeaderboardRow,
  LossName,
  MetricName,
  Study,
  StudyState,
  Task,
  TrialActivity,
  TrialState,
  UnitState,
} from "../../protocol/records";

/** Who submits on an open coordinator without a token: nobody that a page need name. */
export const ANYONE = "anyone";

export type Tone = "score" | "warm" | "grey" | "bad";

export interface Word {
  readonly text: string;
  readonly tone: Tone;
}

/** Whether rows with equal features may lie in two parts of a split. */
export const DUPLICATES: Readonly<Record<"together" | "free", string>> = {
  together: "stay in one part",
  free: "split row by row",
};

/** How numbers among the features are scaled. */
export const SCALINGS: Readonly<Record<"standard" | "minmax" | "none", string>> = {
  standard: "to mean 0, deviation 1",
  minmax: "to 0 to 1",
  none: "leave as they are",
};

export const STUDY: Readonly<Record<StudyState, Word>> = {
  preparing: { text: "preparing", tone: "grey" },
  running: { text: "running", tone: "warm" },
  completed: { text: "completed", tone: "score" },
  stopped: { text: "stopped", tone: "grey" },
  failed: { text: "failed", tone: "bad" },
};

const TRIAL: Readonly<Record<Exclude<TrialState, "running" | "completed">, Word>> = {
  stopped: { text: "stopped early", tone: "grey" },
  failed: { text: "failed", tone: "bad" },
  incomplete: { text: "incomplete", tone: "grey" },
};

/** What happens to a running trial: it is with a donor, with the scorer, or with nobody. */
const ACTIVITY: Readonly<Record<TrialActivity, Word>> = {
  waiting: { text: "waiting", tone: "grey" },
  training: { text: "training", tone: "warm" },
  being_scored: { text: "being scored", tone: "warm" },
};

export const UNIT: Readonly<Record<UnitState, Word>> = {
  blocked: { text: "waits for a rung", tone: "grey" },
  ready: { text: "ready", tone: "grey" },
  leased: { text: "training", tone: "warm" },
  returned: { text: "being scored", tone: "warm" },
  scored: { text: "scored", tone: "score" },
  set_aside: { text: "set aside", tone: "bad" },
  cancelled: { text: "cancelled", tone: "grey" },
};

export const METRIC: Readonly<Record<MetricName, string>> = {
  accuracy: "accuracy",
  balanced_accuracy: "balanced accuracy",
  top_3_accuracy: "top-3 accuracy",
  top_5_accuracy: "top-5 accuracy",
  precision: "precision",
  recall: "recall",
  f1: "F1",
  precision_macro: "precision (macro)",
  recall_macro: "recall (macro)",
  f1_macro: "F1 (macro)",
  cohen_kappa: "Cohen's kappa",
  mcc: "Matthews correlation",
  log_loss: "log loss",
  roc_auc: "ROC AUC",
  pr_auc: "precision-recall AUC",
  cosine_similarity: "cosine similarity",
  hinge: "hinge",
  r2: "R²",
  explained_variance: "explained variance",
  rmse: "root mean squared error",
  mse: "mean squared error",
  mae: "mean absolute error",
  median_absolute_error: "median absolute error",
  mape: "mean absolute percentage error",
  msle: "mean squared logarithmic error",
};

/** A metric by its wire name; unknown names stay readable. */
export function metricText(name: string): string {
  return METRIC[name as MetricName] ?? name.replaceAll("_", " ");
}

const REGRESSION_METRICS: readonly MetricName[] = [
  "r2", "explained_variance", "rmse", "mse", "mae", "median_absolute_error", "mape", "msle",
];

/** Before a plan says which can be measured. */
export const METRICS_OF: Readonly<Record<Task, readonly MetricName[]>> = {
  classification: (Object.keys(METRIC) as MetricName[]).filter((name) => !REGRESSION_METRICS.includes(name)),
  regression: REGRESSION_METRICS,
};

export const LOSS: Readonly<Record<LossName, string>> = {
  sparse_categorical_crossentropy: "categorical cross-entropy",
  categorical_crossentropy: "categorical cross-entropy of one-hot labels",
  categorical_focal_crossentropy: "categorical focal cross-entropy",
  categorical_hinge: "categorical hinge",
  kl_divergence: "Kullback-Leibler divergence",
  cosine_similarity: "cosine similarity",
  binary_crossentropy: "binary cross-entropy",
  binary_focal_crossentropy: "binary focal cross-entropy",
  hinge: "hinge",
  squared_hinge: "squared hinge",
  dice: "Dice",
  tversky: "Tversky",
  mean_squared_error: "mean squared error",
  mean_absolute_error: "mean absolute error",
  mean_absolute_percentage_error: "mean absolute percentage error",
  mean_squared_logarithmic_error: "mean squared logarithmic error",
  huber: "Huber",
  log_cosh: "log-cosh",
  poisson: "Poisson",
};

export const LOSS_OPTION: Readonly<Record<string, string>> = {
  label_smoothing: "Label smoothing",
  gamma: "Focus (gamma)",
  alpha: "Balance (alpha)",
  beta: "Weight of false positives (beta)",
  delta: "Bend (delta)",
  apply_class_balancing: "Balance the classes by alpha",
};

const REGRESSION_LOSSES: readonly LossName[] = [
  "mean_squared_error", "mean_absolute_error", "mean_absolute_percentage_error",
  "mean_squared_logarithmic_error", "huber", "log_cosh", "poisson",
];

/** Before a plan says which suit. */
export const LOSSES_OF: Readonly<Record<Task, readonly LossName[]>> = {
  classification: (Object.keys(LOSS) as LossName[]).filter((name) => !REGRESSION_LOSSES.includes(name)),
  regression: REGRESSION_LOSSES,
};

export const BACKEND: Readonly<Record<string, string>> = {
  webgpu: "WebGPU",
  webgl: "WebGL",
  wasm: "WASM",
  cpu: "CPU",
  jax: "Keras/JAX",
};

export const backendText = (name: string): string => BACKEND[name] ?? name;

/** `layers.dense_1.units` -> `dense_1 units`; `learning_rate` -> `learning rate`. */
export function parameterText(key: string): string {
  const layer = /^layers\.(.+)\.([^.]+)$/.exec(key);
  if (layer) return `${layer[1] ?? ""} ${(layer[2] ?? "").replaceAll("_", " ")}`;
  return key.replaceAll("_", " ");
}

export interface Progress {
  readonly scored: number;
  /** With the coordinator, which has yet to score them: no donor works on these. */
  readonly beingScored: number;
  /** With donors now. */
  readonly training: number;
  /** Ready, blocked by a rung, and those that are still to be made. */
  readonly toGo: number;
  readonly setAside: number;
  readonly cancelled: number;
  /** All units of the plan but cancelled ones: the bar's whole length. */
  readonly total: number;
}

/** The parts of a study's bar; they add up to `total`. */
export function progress({ counts, units_planned = 0 }: Pick<Study, "counts" | "units_planned">): Progress {
  const { blocked = 0, ready = 0, leased = 0, returned = 0, scored = 0, set_aside = 0, cancelled = 0 } = counts;
  const begun = leased + returned + scored + set_aside;
  const total = Math.max(units_planned, begun + blocked + ready);
  return {
    scored, beingScored: returned, training: leased, toGo: total - begun, setAside: set_aside, cancelled, total,
  };
}

/** What was trained again of a finished trial. */
const CHECK: Readonly<Record<Check, Word>> = {
  confirmed: { text: "confirmed", tone: "score" },
  checking: { text: "being checked", tone: "score" },
  scored: { text: "finished", tone: "score" },
};

/** What one row of the leaderboard says of its trial. */
export function trialWord(row: Pick<LeaderboardRow, "state" | "activity" | "check">): Word {
  if (row.state === "completed") return CHECK[row.check ?? "scored"];
  return row.state === "running" ? ACTIVITY[row.activity ?? "waiting"] : TRIAL[row.state];
}

/** What is said of the best model's check, in one sentence. */
export const CHECK_TEXT: Readonly<Record<Check, string>> = {
  confirmed: "Confirmed: the coordinator trained it again and came to the same.",
  checking: "Being checked: the coordinator is training it again.",
  scored: "Scored, not confirmed: the coordinator did not train it again.",
};
