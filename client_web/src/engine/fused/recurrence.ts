/**
 * A whole sequence through SimpleRNN, LSTM or GRU (with `reset_after`) as one operation with a gradient of its
 * own, where the present backend has kernels for it. TF.js launches about a hundred a step. Weights take
 * their gradients from all steps at once, as one product.
 */

import type { Tensor, Tensor2D, Tensor3D } from "@tensorflow/tfjs-core";
import type { tf as ownTf } from "../own_tf";
import type { CellName } from "./cells_host";
import { RECURRENCE, RECURRENCE_GRADIENT } from "./names";

type Tf = Pick<typeof ownTf, "customGrad" | "engine" | "getKernel" | "matMul" | "ones" | "reshape">;

export interface Sequence {
  readonly cell: CellName;
  /** What the input gives to the gates: [length * rows, gates * units], step by step. */
  readonly given: Tensor;
  readonly length: number;
  /** [units, gates * units]. */
  readonly recurrent: Tensor;
  /** Of what the last output gives to the gates: [gates * units]. */
  readonly bias: Tensor | null;
  /** Give every step's output [length, rows, units], or the last one's [rows, units]. */
  readonly sequences: boolean;
}

type Save = (kept: Tensor[]) => void;

/** Say whether the present backend walks sequences in one operation. */
export function hasRecurrence(tf: Tf): boolean {
  return (tf.getKernel(RECURRENCE, tf.engine().backendName) as unknown) !== undefined;
}

/** Walk: start from zeros, activations tanh and sigmoid, no masks. */
export function recurrence(tf: Tf, { cell, given, length, recurrent, bias, sequences }: Sequence): Tensor {
  const attributes = { cell, length, sequences };
  const run = (name: string, inputs: Record<string, Tensor>): Tensor[] =>
    tf.engine().runKernel(name, inputs, attributes) as Tensor[];
  const names = ["given", "recurrent", ...(bias === null ? [] : ["bias"])];
  const walked = tf.customGrad((...args) => {
    const save = args[names.length] as unknown as Save;
    const inputs = Object.fromEntries(names.map((name, i) => [name, args[i] as Tensor]));
    const [value, ...made] = run(RECURRENCE, inputs) as [Tensor, ...Tensor[]];
    save([args[0] as Tensor, args[1] as Tensor, ...made]);
    const gradFunc = (dy: Tensor, saved: Tensor[]): Tensor[] => {
      const [input, weights, outputs, ...rest] = saved as [Tensor, Tensor2D, Tensor3D, ...Tensor[]];
      const kept = Object.fromEntries(rest.map((one, i) => [`kept${i}`, one]));
      const found = run(RECURRENCE_GRADIENT, { dy, given: input, before: outputs, recurrent: weights, ...kept });
      const [dgiven, dinner] = found as [Tensor2D, Tensor2D];
      const [rows, wide] = dinner.shape;
      const flat: Tensor2D = tf.reshape(outputs, [rows, weights.shape[0]]);
      const slopes = [dgiven, tf.matMul(flat, dinner, true, false)];
      return bias === null ? slopes : [...slopes, tf.reshape(tf.matMul(tf.ones([1, rows]), dinner), [wide])];
    };
    return { value, gradFunc };
  });
  return walked(...(bias === null ? [given, recurrent] : [given, recurrent, bias]));
}
