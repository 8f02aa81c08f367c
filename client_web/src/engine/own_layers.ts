/** Our layers on this engine's own TF.js, in the place of some of its own. */

import type { layers } from "@tensorflow/tfjs-layers";
import { install, makeLayers } from "./layers/install";
import type { LayerClass } from "./layers/kit";
import { trainingClock } from "./layers/place";
import { tf } from "./own_tf";

/**
 * TF.js draws its dropout unrepeatably, trains BatchNormalization otherwise than Keras, and walks sequences a
 * hundred kernels a step. With what a configuration that leaves an option out means in TF.js.
 */
const INSTEAD: Readonly<Record<string, object>> = {
  BatchNormalization: {},
  Dropout: {},
  GRU: { resetAfter: false, recurrentActivation: "hardSigmoid" },
  LSTM: { recurrentActivation: "hardSigmoid" },
  SimpleRNN: {},
};

function registered(): ReadonlySet<string> {
  const names = new Set(install(tf, trainingClock));
  for (const made of makeLayers(tf, trainingClock)) {
    const stockName = made.className.replace("Potluck", "");
    const defaults = INSTEAD[stockName];
    if (defaults !== undefined) tf.serialization.registerClass(instead(made, stockName, defaults));
  }
  return names;
}

function instead(made: LayerClass, className: string, defaults: object): LayerClass {
  const Base = made as unknown as new (args: object) => layers.Layer;
  return class extends Base {
    static readonly className = className;

    constructor(args: object) {
      super({ ...defaults, ...args });
    }
  } as unknown as LayerClass;
}

/** Names of the layers that are ours, and can be opened. */
export const OWN_LAYERS: ReadonlySet<string> = registered();
