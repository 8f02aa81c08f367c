/** Reading predictions: right or wrong, how sure, and as CSV. Pure. */

import type { Prediction } from "../../protocol/records";

/** Whether a class was hit. Labels may come as text on one side and as a number on the other. */
export function right(prediction: Prediction): boolean {
  return String(prediction.predicted) === String(prediction.truth);
}

/** The probability that the network gave to its own answer; null for regression. */
export function certainty(prediction: Prediction): number | null {
  return prediction.probabilities?.[String(prediction.predicted)] ?? null;
}

function cell(value: string | number): string {
  const text = String(value);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** All rows at full precision, one column for each class where there are classes. */
export function predictionsCsv(predictions: readonly Prediction[]): string {
  const classes = Object.keys(predictions[0]?.probabilities ?? {});
  const head = ["row", "truth", "predicted", ...classes.map((name) => `probability of ${name}`)];
  const lines = predictions.map((p) =>
    [p.row, p.truth, p.predicted, ...classes.map((name) => p.probabilities?.[name] ?? "")].map(cell).join(","),
  );
  return [head.map(cell).join(","), ...lines, ""].join("\n");
}
