/**
 * Register everything of ours with a TF.js: layers, activations, the regularizer, and kernels that are
 * missing or wrong. It works with any page's own TF.js 4, which it is handed:
 *
 *     import * as tf from "@tensorflow/tfjs";
 *     import { install } from "./potluck-tfjs.js";
 *     install(tf);
 */

import { mendLoaded } from "../kernels";
import { activationLayers } from "./activation_layers";
import { activations } from "./activations";
import { attentionLayers } from "./attention";
import { augmentations } from "./augmentation";
import { batchNormalizations } from "./batch_normalization";
import { recurrentLayers } from "./cells";
import { convLstmLayers } from "./conv_lstm";
import { convolutions } from "./convolution";
import { depthwiseConvolutions } from "./depthwise";
import { einsumLayers } from "./einsum";
import { embeddings } from "./embedding";
import { imageLayers } from "./images";
import { type Kit, type LayerClass, makeKit, type Tf } from "./kit";
import { marginLayers } from "./margins";
import { carryMasks } from "./masks";
import { mergingLayers } from "./merging";
import { multiHeadLayers } from "./multi_head";
import { noiseLayers } from "./noise_layers";
import { type Clock, freeClock } from "./noise";
import { normalizations } from "./normalization";
import { orthogonalRegularizer, penalties } from "./penalties";
import { pooling } from "./pooling";
import { mendStockLayers } from "./stock";
import { transposedConvolutions } from "./transposed";
import { wrappers } from "./wrappers";

const KINDS: readonly ((kit: Kit) => LayerClass[])[] = [
  activationLayers,
  attentionLayers,
  augmentations,
  batchNormalizations,
  convLstmLayers,
  convolutions,
  depthwiseConvolutions,
  einsumLayers,
  embeddings,
  imageLayers,
  marginLayers,
  mergingLayers,
  multiHeadLayers,
  noiseLayers,
  normalizations,
  penalties,
  pooling,
  recurrentLayers,
  transposedConvolutions,
  wrappers,
];

/** Make every layer class on a TF.js. */
export function makeLayers(tf: Tf, clock: Clock): LayerClass[] {
  const kit = makeKit(tf, clock);
  return KINDS.flatMap((make) => make(kit));
}

/**
 * Register all of ours with `tf`, and mend the backends that are loaded; call it again after loading
 * another. Returns the names of the layers. `clock` says where training stands, so that what was drawn by
 * chance can be drawn again; without one it differs from page to page.
 */
export function install(tf: Tf, clock: Clock = freeClock()): string[] {
  const classes = makeLayers(tf, clock);
  for (const made of classes) tf.serialization.registerClass(made);
  for (const made of activations(tf)) tf.serialization.registerClass(made);
  tf.serialization.registerClass(orthogonalRegularizer(tf));
  carryMasks(tf);
  mendStockLayers(tf);
  mendLoaded(tf);
  return classes.map((made) => made.className);
}
