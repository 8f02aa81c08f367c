/**
 * Masks that arrive. TF.js hands a layer the mask of its first input only, and goes on handing it to layers
 * whose inputs have none; and it joins the masks of merged inputs wrongly. Here every tensor carries its
 * own, under the name that TF.js's layers already use. It is that tensor's alone: TF.js disposes of a
 * tensor's mask along with the tensor.
 */

import type { Tensor } from "@tensorflow/tfjs-core";
import type { layers } from "@tensorflow/tfjs-layers";
import { fixed, list, maskOf, only, setMask, type Tf } from "./kit";

interface Patched {
  apply(inputs: unknown, kwargs?: Record<string, unknown>): unknown;
  call(inputs: unknown, kwargs: Record<string, unknown>): Tensor | Tensor[];
  computeMask(inputs: Tensor[], mask: unknown): Tensor | Tensor[] | null;
  setMaskMetadata(): void;
  supportsMasking: boolean;
  axis?: number;
}

/** Hold where one of the masks does; none where an input has none, as Keras joins masks. */
export function eitherMask(tf: Tf, masks: readonly (Tensor | null | undefined)[]): Tensor | null {
  if (masks.length === 0) return null;
  const known = masks.filter((mask) => mask !== null && mask !== undefined);
  if (known.length < masks.length) return null;
  return tf.tidy(() => known.reduce((all, mask) => tf.logicalOr(all, mask)));
}

/** Join masks of what is put side by side, as Keras does: whole features, or one behind the other. */
function joinedMask(tf: Tf, inputs: readonly Tensor[], masks: readonly (Tensor | null)[], axis: number): Tensor | null {
  if (masks.every((mask) => mask === null)) return null;
  return tf.tidy(() => {
    const whole = inputs.map((input, i) => {
      const mask = masks[i] ?? null;
      const ones = tf.onesLike(input);
      if (mask === null) return ones;
      const held = tf.cast(mask, "float32");
      return tf.mul(ones, mask.rank < input.rank ? tf.expandDims(held, -1) : held);
    });
    return tf.cast(tf.max(tf.concat(whole, axis), -1), "bool");
  });
}

/** TF.js's Masking has no gradient: it compares its input, and follows that comparison back. */
function mendMasking(tf: Tf): void {
  const masking = prototypeOf(tf.layers.masking({ name: "unused" })) as Patched & { maskValue: number };
  const held = (x: Tensor, value: number, keep: boolean): Tensor =>
    fixed(tf, () => tf.any(tf.notEqual(x, value), -1, keep));
  masking.computeMask = function (this: typeof masking, inputs) {
    return held(only(list(inputs)), this.maskValue, false);
  };
  masking.call = function (this: typeof masking, inputs) {
    const x = only(list(inputs as Tensor | Tensor[]));
    return tf.tidy(() => tf.mul(x, tf.cast(held(x, this.maskValue, true), x.dtype)));
  };
}

/** TF.js keeps the classes of its layers to itself; an instance knows its own. */
function prototypeOf(layer: layers.Layer): Patched {
  return Object.getPrototypeOf(layer) as Patched;
}

/** Hang a layer's mask on its outputs, each a copy of its own. */
function attach(tf: Tf, outputs: readonly Tensor[], mask: Tensor | null, others: readonly (Tensor | null)[]): Tensor[] {
  const copies = outputs.map((output, i) => {
    const own = mask === null || (i === 0 && !others.includes(mask)) ? mask : tf.clone(mask);
    setMask(output, own);
    return own;
  });
  return copies.filter((copy) => copy !== null);
}

/** Let every layer work with the masks of its inputs. Masks made within a model are kept for `mendModels`. */
function mendLayers(tf: Tf, within: { masks: Tensor[] | null }): void {
  const layer = tf.layers.Layer.prototype as unknown as Patched;
  const stock = layer.apply;
  /** Options that TF.js hands from layer to layer, with whatever mask it met last. */
  const handedOn = new WeakSet<object>();

  // TF.js would compute a mask without those of the inputs, and hang it on an input that is handed on.
  layer.setMaskMetadata = () => undefined;
  layer.apply = function (this: Patched, inputs: unknown, kwargs?: Record<string, unknown>): unknown {
    const given = list(inputs as Tensor | Tensor[]);
    if (!given.every((input) => input instanceof tf.Tensor)) return stock.call(this, inputs, kwargs);
    const masks = given.map(maskOf);
    const options = { ...kwargs };
    if (masks[0]) {
      options["mask"] = masks[0];
      if (kwargs !== undefined) handedOn.add(kwargs);
    } else if (within.masks !== null || (kwargs !== undefined && handedOn.has(kwargs))) {
      delete options["mask"];
    }
    const outputs = stock.call(this, inputs, options) as Tensor | Tensor[];
    if (!this.supportsMasking) return outputs;
    const found = this.computeMask(given, masks as never);
    const mask = Array.isArray(found) ? found[0] : found;
    const copies = attach(tf, list(outputs), mask ?? null, masks);
    if (within.masks !== null) within.masks.push(...copies.map((copy) => tf.keep(copy)));
    return outputs;
  };
}

/** A model hands on its outputs and lets go of all else that was made in it, their masks too. */
function mendModels(tf: Tf, within: { masks: Tensor[] | null }): void {
  const model = Object.getPrototypeOf(tf.LayersModel.prototype) as Patched;
  const stock = model.call;
  model.call = function (this: Patched, inputs: unknown, kwargs: Record<string, unknown>): Tensor | Tensor[] {
    const outside = within.masks;
    const made: Tensor[] = [];
    within.masks = made;
    try {
      const outputs = stock.call(this, inputs, kwargs);
      for (const output of list(outputs)) {
        const mask = maskOf(output);
        if (mask !== null && made.includes(mask)) setMask(output, tf.clone(mask));
      }
      return outputs;
    } finally {
      within.masks = outside;
      tf.dispose(made);
    }
  };
}

const patched = new WeakSet<object>();

/** Let masks travel with tensors; does nothing the second time. */
export function carryMasks(tf: Tf): void {
  const layer = tf.layers.Layer.prototype;
  if (patched.has(layer)) return;
  patched.add(layer);
  const within = { masks: null };
  mendLayers(tf, within);
  mendModels(tf, within);
  mendMasking(tf);
  const merge = Object.getPrototypeOf(prototypeOf(tf.layers.add({ name: "unused" }))) as Patched;
  merge.computeMask = (_inputs, masks) => (Array.isArray(masks) ? eitherMask(tf, masks as (Tensor | null)[]) : null);
  const concatenate = prototypeOf(tf.layers.concatenate({ name: "unused" }));
  concatenate.computeMask = function (this: Patched, inputs, masks) {
    if (!Array.isArray(masks)) return null;
    const known = (masks as (Tensor | null | undefined)[]).map((mask) => mask ?? null);
    return joinedMask(tf, inputs, known, this.axis ?? -1);
  };
}
