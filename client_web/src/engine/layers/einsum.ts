/**
 * Sums over products of two tensors by their axes' letters, as one product of matrices. TF.js's own einsum
 * has no gradient.
 */

import type { Tensor } from "@tensorflow/tfjs-core";
import type { LayerVariable } from "@tensorflow/tfjs-layers";
import { type Kit, type LayerClass, only, type Shape, type Tf } from "./kit";

interface Equation {
  readonly left: string;
  readonly right: string;
  readonly out: string;
}

/** Letters for what an ellipsis stands for; no equation of Keras's uses capitals. */
const HIDDEN = "ABCDEFGHIJ";

/** Read "ab...,bc->ac..." for a left side of known rank. */
export function readEquation(text: string, rank: number): Equation {
  const [sides = "", out = ""] = text.replace(/\s/g, "").split("->");
  const [left = "", right = ""] = sides.split(",");
  const hidden = HIDDEN.slice(0, rank - left.replace("...", "").length);
  const fill = (part: string): string => part.replace("...", hidden);
  return { left: fill(left), right: fill(right), out: fill(out) };
}

export function makeContract(tf: Tf) {
  /** Sum out of a tensor the axes that stand nowhere else. */
  function summed(x: Tensor, letters: string, elsewhere: string): [Tensor, string] {
    const alone = [...letters].filter((letter) => !elsewhere.includes(letter));
    if (alone.length === 0) return [x, letters];
    const axes = alone.map((letter) => letters.indexOf(letter));
    return [tf.sum(x, axes), [...letters].filter((letter) => !alone.includes(letter)).join("")];
  }

  /** Reorder axes and join them into three. */
  function asMatrices(x: Tensor, letters: string, groups: readonly string[]): Tensor {
    const order = [...groups.join("")].map((letter) => letters.indexOf(letter));
    const moved = order.every((from, to) => from === to) ? x : tf.transpose(x, order);
    const length = (letter: string): number => x.shape[letters.indexOf(letter)] ?? 1;
    return tf.reshape(moved, groups.map((group) => [...group].reduce((all, letter) => all * length(letter), 1)));
  }

  return function contract({ left, right, out }: Equation, a: Tensor, b: Tensor): Tensor {
    const [x, xs] = summed(a, left, right + out);
    const [y, ys] = summed(b, right, left + out);
    const pick = (from: string, test: (letter: string) => boolean): string => [...from].filter(test).join("");
    const batch = pick(xs, (letter) => ys.includes(letter) && out.includes(letter));
    const inner = pick(xs, (letter) => ys.includes(letter) && !out.includes(letter));
    const rows = pick(xs, (letter) => !ys.includes(letter));
    const columns = pick(ys, (letter) => !xs.includes(letter));
    const products = tf.matMul(asMatrices(x, xs, [batch, rows, inner]), asMatrices(y, ys, [batch, inner, columns]));
    const letters = batch + rows + columns;
    const lengths = new Map([...xs].map((letter, i) => [letter, x.shape[i] ?? 1]));
    [...ys].forEach((letter, i) => lengths.set(letter, y.shape[i] ?? 1));
    const whole = tf.reshape(products, [...letters].map((letter) => lengths.get(letter) ?? 1));
    return letters === out ? whole : tf.transpose(whole, [...out].map((letter) => letters.indexOf(letter)));
  };
}

export type Contract = ReturnType<typeof makeContract>;

/** Give each letter's length from the input's shape and the asked-for output, both without unknowns. */
function lengthsOf(text: string, shape: Shape, asked: Shape): Map<string, number | null> {
  const { left, out } = readEquation(text, shape.length);
  const lengths = new Map([...left].map((letter, i) => [letter, shape[i] ?? null]));
  // What Keras is given leaves out the batch axis, and what the ellipsis stands for.
  const hiddenLast = text.includes("...") && text.trim().endsWith("...");
  const named = [...out].filter((letter) => !HIDDEN.includes(letter));
  [...(text.includes("...") ? named : out)].forEach((letter, i, all) => {
    if (lengths.has(letter)) return;
    const at = hiddenLast ? i - 1 : asked.length - (all.length - i);
    lengths.set(letter, asked[at] ?? null);
  });
  return lengths;
}

/** Give a bias's shape: from its first axis on, 1 where it is shared. */
function biasShape(out: string, axes: string, lengths: ReadonlyMap<string, number | null>): number[] {
  const first = Math.min(...[...axes].map((letter) => out.indexOf(letter)));
  return [...out.slice(first)].map((letter) => (axes.includes(letter) ? Number(lengths.get(letter)) : 1));
}

export function einsumLayers({ tf, Own }: Kit): LayerClass[] {
  const contract = makeContract(tf);

  class PotluckEinsumDense extends Own {
    static readonly className = "PotluckEinsumDense";
    private kernel: LayerVariable | null = null;
    private bias: LayerVariable | null = null;
    private readonly activation = this.activationOf("activation");
    private readonly equation = this.option("equation", "");

    private lengths(shape: Shape): Map<string, number | null> {
      const asked = this.given["outputShape"] as number | Shape;
      return lengthsOf(this.equation, shape, Array.isArray(asked) ? asked : [asked]);
    }

    override build(inputShape: Shape | Shape[]): void {
      const shape = inputShape as Shape;
      const { right, out } = readEquation(this.equation, shape.length);
      const lengths = this.lengths(shape);
      this.kernel = this.weight("kernel", [...right].map((letter) => Number(lengths.get(letter))), "kernel");
      const axes = this.option<string | null>("biasAxes", null);
      if (axes) this.bias = this.weight("bias", biasShape(out, axes, lengths), "bias", "zeros");
      this.built = true;
    }

    override computeOutputShape(inputShape: Shape | Shape[]): Shape {
      const shape = inputShape as Shape;
      const lengths = this.lengths(shape);
      return [...readEquation(this.equation, shape.length).out].map((letter) => lengths.get(letter) ?? null);
    }

    override run(inputs: Tensor[]): Tensor {
      if (this.kernel === null) throw new Error("the layer was not built");
      const x = only(inputs);
      const out = contract(readEquation(this.equation, x.rank), x, this.kernel.read());
      return this.activation.apply(this.bias === null ? out : tf.add(out, this.bias.read()));
    }
  }
  return [PotluckEinsumDense];
}
