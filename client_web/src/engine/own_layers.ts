/** Our layers on this engine's own TF.js, in the place of some of its own. */

import { install, makeLayers } from "./layers/install";
import type { LayerClass } from "./layers/kit";
import { trainingClock } from "./layers/place";
import { tf } from "./own_tf";

/** TF.js draws its dropout unrepeatably, and trains BatchNormalization otherwise than Keras. */
const INSTEAD = ["Dropout", "BatchNormalization"];

function registered(): ReadonlySet<string> {
  const names = new Set(install(tf, trainingClock));
  for (const made of makeLayers(tf, trainingClock)) {
    const stockName = made.className.replace("Potluck", "");
    if (INSTEAD.includes(stockName)) tf.serialization.registerClass(named(made, stockName));
  }
  return names;
}

function named(made: LayerClass, className: string): LayerClass {
  Object.defineProperty(made, "className", { value: className });
  return made;
}

/** Names of the layers that are ours, and can be opened. */
export const OWN_LAYERS: ReadonlySet<string> = registered();
