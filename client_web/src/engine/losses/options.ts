/** What a loss is told: the wire's options with Keras 3's defaults. */

import type { Unit } from "../../protocol/messages";

export type LossOptions = NonNullable<Unit["loss_options"]>;

/** Keras's backend epsilon. Always given explicitly: TF.js uses another one on WebGL. */
export const EPSILON = 1e-7;
