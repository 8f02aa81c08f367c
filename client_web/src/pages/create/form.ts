/** One parameter of the search space as a form holds it: text in fields. Pure. */

export type ValueType = "float" | "int" | "text" | "bool";
export type Mode = "unset" | "fixed" | "range" | "choices";

/** Switches (`optimizer`, `schedule`, `use_ema`) and the values with which a parameter is read. */
export type Needs = Readonly<Record<string, readonly string[]>>;

/** One parameter's fields, kept as typed so that nothing a person wrote is lost. */
export interface ParameterForm {
  readonly key: string;
  readonly type: ValueType;
  /** What holds while the mode is `unset`; empty where there is no such value. */
  readonly standard: string;
  /** The only values allowed, for words. */
  readonly allowed: readonly string[];
  readonly needs: Needs;
  mode: Mode;
  value: string;
  low: string;
  high: string;
  log: boolean;
  choices: string;
}

type Start = Partial<Omit<ParameterForm, "key" | "type">>;

export function form(key: string, type: ValueType, start: Start): ParameterForm {
  return {
    key, type, standard: "", allowed: [], needs: {}, mode: "unset",
    value: "", low: "", high: "", log: false, choices: "", ...start,
  };
}

function commas(text: string): string[] {
  return text.split(",").map((part) => part.trim());
}

/** The values that a switch may take in this study. */
function valuesOf(forms: readonly ParameterForm[], key: string): readonly string[] {
  const found = forms.find((other) => other.key === key);
  if (found === undefined) return [];
  if (found.mode === "choices") return commas(found.choices);
  return [found.mode === "unset" ? found.standard : found.value];
}

/** The parameters that some trial of this study reads; the others are neither shown nor sent. */
export function read(forms: readonly ParameterForm[]): ParameterForm[] {
  return forms.filter(({ needs }) =>
    Object.entries(needs).every(([key, values]) => valuesOf(forms, key).some((value) => values.includes(value))),
  );
}
