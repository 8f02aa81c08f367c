/**
 * Masks that arrive. TF.js hands a layer the mask of its first input only, and goes on handing it to layers
 * whose inputs have none; and it joins the masks of merged inputs wrongly. Here every tensor carries its
 * own, under the name that TF.js's layers already use.
 */

import type { Tensor } from "@tensorflow/tfjs-core";
import type { layers } from "@tensorflow/tfjs-layers";
import { fixed, list, maskOf, only, setMask, type Tf } from "./kit";

interface Patched {
  apply(inputs: unknown, kwargs?: Record<string, unknown>): unknown;
  computeMask(inputs: Tensor[], mask: unknown): Tensor | Tensor[] | null;
  supportsMasking: boolean;
  axis?: number;
}

/** Hold where one of the masks does; none where an input has none, as Keras joins masks. */
export function eitherMask(tf: Tf, masks: readonly (Tensor | null | undefined)[]): Tensor | null {
  if (masks.length === 0) return null;
  const known = masks.filter((mask) => mask !== null && mask !== undefined);
  if (known.length < masks.length) return null;
  return known.reduce((all, mask) => tf.logicalOr(all, mask));
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
  const masking = prototypeOf(tf.layers.masking({ name: "unused" })) as Patched & {
    maskValue: number;
    call(inputs: Tensor | Tensor[]): Tensor;
  };
  const held = (x: Tensor, value: number, keep: boolean): Tensor =>
    fixed(tf, () => tf.any(tf.notEqual(x, value), -1, keep));
  masking.computeMask = function (this: typeof masking, inputs) {
    return held(only(list(inputs)), this.maskValue, false);
  };
  masking.call = function (this: typeof masking, inputs) {
    const x = only(list(inputs));
    return tf.tidy(() => tf.mul(x, tf.cast(held(x, this.maskValue, true), x.dtype)));
  };
}

/** TF.js keeps the classes of its layers to itself; an instance knows its own. */
function prototypeOf(layer: layers.Layer): Patched {
  return Object.getPrototypeOf(layer) as Patched;
}

const patched = new WeakSet<object>();

/** Let masks travel with tensors; does nothing the second time. */
export function carryMasks(tf: Tf): void {
  const layer = tf.layers.Layer.prototype as unknown as Patched;
  if (patched.has(layer)) return;
  patched.add(layer);
  const stock = layer.apply;
  let depth = 0;

  layer.apply = function (this: Patched, inputs: unknown, kwargs?: Record<string, unknown>): unknown {
    const given = list(inputs as Tensor | Tensor[]);
    if (!given.every((input) => input instanceof tf.Tensor)) return stock.call(this, inputs, kwargs);
    const masks = given.map(maskOf);
    const options = { ...kwargs };
    if (masks[0]) options["mask"] = masks[0];
    // Inside a model it can only be one that another layer left behind.
    else if (depth > 0) delete options["mask"];
    depth += 1;
    let outputs: unknown;
    try {
      outputs = stock.call(this, inputs, options);
    } finally {
      depth -= 1;
    }
    if (this.supportsMasking && masks.some((mask) => mask !== null)) {
      const found = this.computeMask(given, masks);
      const mask = Array.isArray(found) ? (found[0] ?? null) : found;
      for (const output of list(outputs as Tensor | Tensor[])) setMask(output, mask);
    }
    return outputs;
  };

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
