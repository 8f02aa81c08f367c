/** The search space as a form holds it (text in fields) and as the wire wants it. Pure. */

import type { LayerReport, Parameter, Scalar } from "../../protocol/records";
import { form, type ParameterForm, read, type ValueType } from "./form";

/** A layer's fields that the converter says may be overridden. */
export function layerForms(layers: readonly LayerReport[]): ParameterForm[] {
  return layers.flatMap((layer) =>
    Object.entries(layer.searchable).map(([field, present]) => {
      const standard = scalarText(present);
      return form(`layers.${layer.name}.${field}`, typeOf(present), {
        standard, value: standard, low: standard, high: standard, choices: standard,
        allowed: typeof present === "boolean" ? ["no", "yes"] : [],
      });
    }),
  );
}

function typeOf(value: Scalar): ValueType {
  if (typeof value === "boolean") return "bool";
  if (typeof value === "string") return "text";
  return Number.isInteger(value) ? "int" : "float";
}

function scalarText(value: Scalar): string {
  return typeof value === "boolean" ? (value ? "yes" : "no") : String(value);
}

class Problem extends Error {}

function scalar(text: string, { type, allowed }: ParameterForm): Scalar {
  const trimmed = text.trim();
  if (trimmed === "") throw new Problem("A value is missing here.");
  if (allowed.length > 0 && !allowed.includes(trimmed)) {
    throw new Problem(`"${trimmed}" is none of ${allowed.join(", ")}.`);
  }
  if (type === "bool") return trimmed === "yes";
  if (type === "text") return trimmed;
  const value = Number(trimmed);
  if (!Number.isFinite(value)) throw new Problem(`"${trimmed}" is not a number.`);
  if (type === "int" && !Number.isInteger(value)) throw new Problem(`"${trimmed}" is not a whole number.`);
  return value;
}

function range(fields: ParameterForm): Parameter {
  const low = Number(scalar(fields.low, fields));
  const high = Number(scalar(fields.high, fields));
  if (low > high) throw new Problem(`The range is empty: ${low} is greater than ${high}.`);
  if (fields.log && low <= 0) throw new Problem("A log range must start above 0.");
  const kind = fields.type === "int" ? "int" : "float";
  return { kind, low, high, log: fields.log };
}

/** What the wire gets for one parameter: null while it is unset. Throws nothing a form cannot show. */
function parameterOf(fields: ParameterForm): Parameter | null {
  switch (fields.mode) {
    case "unset":
      return null;
    case "fixed":
      return { kind: "fixed", value: scalar(fields.value, fields) };
    case "range":
      return range(fields);
    case "choices": {
      const choices = fields.choices.split(",").filter((c) => c.trim() !== "");
      if (choices.length === 0) throw new Problem("Write at least one value, with commas between.");
      return { kind: "choice", choices: choices.map((c) => scalar(c, fields)) };
    }
  }
}

export interface Space {
  readonly parameters: Record<string, Parameter>;
  /** What is wrong, by parameter. */
  readonly problems: Record<string, string>;
}

/** Read the forms; a field that makes no sense is a problem beside it, never a silent default. */
export function readSpace(forms: readonly ParameterForm[]): Space {
  const parameters: Record<string, Parameter> = {};
  const problems: Record<string, string> = {};
  for (const fields of read(forms)) {
    try {
      const parameter = parameterOf(fields);
      if (parameter !== null) parameters[fields.key] = parameter;
    } catch (thrown) {
      if (!(thrown instanceof Problem)) throw thrown;
      problems[fields.key] = thrown.message;
    }
  }
  return { parameters, problems };
}

/** Put a wire parameter back into its form, as `readSpace` would read it again. */
export function fill(fields: ParameterForm, parameter: Parameter | undefined): ParameterForm {
  if (parameter === undefined) return { ...fields, mode: "unset" };
  switch (parameter.kind) {
    case "fixed":
      return { ...fields, mode: "fixed", value: scalarText(parameter.value) };
    case "choice":
      return { ...fields, mode: "choices", choices: parameter.choices.map(scalarText).join(", ") };
    default:
      return {
        ...fields, mode: "range", log: parameter.log ?? false,
        low: String(parameter.low), high: String(parameter.high),
      };
  }
}

/** One sentence for the review: `0.0001 to 0.1, log scale`. */
export function describe(parameter: Parameter): string {
  switch (parameter.kind) {
    case "fixed":
      return `always ${scalarText(parameter.value)}`;
    case "choice":
      return `one of ${parameter.choices.map(scalarText).join(", ")}`;
    default:
      return `${parameter.low} to ${parameter.high}${parameter.log ? ", log scale" : ""}`;
  }
}

/**
 * Epoch counts at which trials are scored: `count` rungs up to `epochs`, each about three times the
 * one before. Short studies have room for fewer.
 */
export function rungEpochs(epochs: number, count: number): number[] {
  const rungs = new Set<number>();
  for (let i = count - 1; i >= 0; i--) rungs.add(Math.max(1, Math.round(epochs / 3 ** i)));
  return [...rungs].sort((a, b) => a - b);
}
