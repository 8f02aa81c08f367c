/** In which files a model can be taken home. */

import type { BestModel } from "../../protocol/records";

export type Form = "keras" | "h5" | "tfjs";
export type Unwritable = BestModel["unwritable"];

const FORMS: readonly { readonly form: Form; readonly text: string }[] = [
  { form: "keras", text: "Download .keras" },
  { form: "h5", text: "Download .h5" },
  { form: "tfjs", text: "Download TF.js files" },
];

/** List the files that can hold a model, with the words of their links. */
export function formsOf(unwritable: Unwritable): readonly { readonly form: Form; readonly text: string }[] {
  return FORMS.filter(({ form }) => !(form in (unwritable ?? {})));
}

/** Say what opens a model's files, and why there is not one of every form. */
export function formsText(unwritable: Unwritable): string {
  const missing = unwritable ?? {};
  const keras = [".keras", ".h5"].filter((ending) => !(ending.slice(1) in missing));
  const opens = keras.length === 2 ? "files open" : "file opens";
  const told = keras.length === 0 ? "The " : `The ${keras.join(" and ")} ${opens} with Keras 3; the `;
  const why = new Set(Object.values(missing));
  return [`${told}TF.js files open with tf.loadLayersModel.`, ...why].join(" ");
}
