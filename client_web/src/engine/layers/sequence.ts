/** Steps over time, with masks as Keras reads them. */

import type { Tensor } from "@tensorflow/tfjs-core";
import type { Kit } from "./kit";

export interface Way {
  readonly goBackwards: boolean;
  readonly returnSequences: boolean;
  /** Give zeros at masked steps, instead of the last output before them. */
  readonly zeroOutputForMask: boolean;
}

/** From one step's input and the states: [output, ...states]. */
export type Step = (input: Tensor, states: readonly Tensor[]) => Tensor[];

export function makeWalk({ tf, asNumbers }: Pick<Kit, "tf" | "asNumbers">) {
  /** Go through `inputs`, one for each step; `mask` is [batch, steps], and holds where a step counts. */
  return function walk(
    inputs: readonly Tensor[],
    start: readonly Tensor[],
    step: Step,
    mask: Tensor | null,
    way: Way,
  ): Tensor {
    const held = mask === null ? null : tf.unstack(asNumbers(mask), 1);
    const order = inputs.map((_, i) => (way.goBackwards ? inputs.length - 1 - i : i));
    const outputs: Tensor[] = [];
    let states = start;
    for (const at of order) {
      const input = inputs[at];
      if (input === undefined) throw new Error("no such step");
      const [output, ...next] = step(input, states);
      if (output === undefined) throw new Error("a step gives an output");
      const now = held?.[at];
      if (now === undefined) {
        outputs.push(output);
        states = next;
        continue;
      }
      const counts = tf.reshape(now, [-1, ...Array<number>(output.rank - 1).fill(1)]);
      const choose = (fresh: Tensor, old: Tensor | undefined): Tensor => {
        const kept = tf.mul(fresh, counts);
        return old === undefined ? kept : tf.add(kept, tf.mul(old, tf.sub(1, counts)));
      };
      const before = outputs[outputs.length - 1];
      outputs.push(choose(output, way.zeroOutputForMask ? undefined : before));
      states = next.map((state, i) => choose(state, states[i]));
    }
    const last = outputs[outputs.length - 1];
    if (last === undefined) throw new Error("a sequence has at least one step");
    return way.returnSequences ? tf.stack(outputs, 1) : last;
  };
}
