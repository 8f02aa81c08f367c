/** MultiHeadAttention over any axes, on [query, value] or [query, value, key]. */

import type { Tensor } from "@tensorflow/tfjs-core";
import type { LayerVariable } from "@tensorflow/tfjs-layers";
import { causal } from "./attention";
import { makeContract } from "./einsum";
import { fromStart, type Kit, type LayerClass, type Options, type Shape } from "./kit";
import { keptFactors } from "./noise";

interface Projection {
  readonly kernel: LayerVariable;
  readonly bias: LayerVariable | null;
}

const LETTERS = "abcdefghijklmnopqrstuvw";

export function multiHeadLayers({ tf, Own, clock, asNumbers }: Kit): LayerClass[] {
  const contract = makeContract(tf);

  class PotluckMultiHeadAttention extends Own {
    static readonly className = "PotluckMultiHeadAttention";
    protected override readonly handsMaskOn = true;
    private readonly parts = new Map<string, Projection>();
    private readonly heads = this.option("numHeads", 1);
    private readonly keyDim = this.option("keyDim", 1);
    private readonly valueDim = this.option("valueDim", this.keyDim);

    private outputSize(query: Shape): number[] {
      const asked = this.given["outputShape"] as number | number[] | null | undefined;
      if (asked === null || asked === undefined) return [Number(query[query.length - 1])];
      return Array.isArray(asked) ? asked : [asked];
    }

    override build(inputShape: Shape | Shape[]): void {
      const [query = [], value = [], key = value] = inputShape as Shape[];
      const width = (shape: Shape): number => Number(shape[shape.length - 1]);
      const make = (name: string, kernel: number[], bias: number[]): void => {
        const useBias = this.option("useBias", true);
        this.parts.set(name, {
          kernel: this.weight(`${name}/kernel`, kernel, "kernel"),
          bias: useBias ? this.weight(`${name}/bias`, bias, "bias", "zeros") : null,
        });
      };
      make("query", [width(query), this.heads, this.keyDim], [this.heads, this.keyDim]);
      make("key", [width(key), this.heads, this.keyDim], [this.heads, this.keyDim]);
      make("value", [width(value), this.heads, this.valueDim], [this.heads, this.valueDim]);
      const out = this.outputSize(query);
      make("attention_output", [this.heads, this.valueDim, ...out], out);
      this.built = true;
    }

    override computeOutputShape(inputShape: Shape | Shape[]): Shape {
      const [query = []] = inputShape as Shape[];
      return [...query.slice(0, -1), ...this.outputSize(query)];
    }

    /** Multiply the last `bound` axes by a kernel, and add its bias. */
    private project(name: string, x: Tensor, bound: number): Tensor {
      const part = this.parts.get(name);
      if (part === undefined) throw new Error("the layer was not built");
      const kernel = part.kernel.read();
      const rows = x.shape.slice(0, x.rank - bound);
      const inner = x.shape.slice(x.rank - bound).reduce((all, length) => all * length, 1);
      const flat = tf.matMul(tf.reshape(x, [-1, inner]), tf.reshape(kernel, [inner, -1]));
      const out = tf.reshape(flat, [...rows, ...kernel.shape.slice(bound)]);
      return part.bias === null ? out : tf.add(out, part.bias.read());
    }

    override run(inputs: Tensor[], { training, masks }: Options): Tensor {
      const [query, value, key = value] = inputs;
      if (query === undefined || value === undefined || key === undefined) throw new Error("query and value expected");
      const asked = this.given["attentionAxes"] as number[] | null | undefined;
      const over = (asked ?? query.shape.slice(1, -1).map((_, i) => i + 1)).map((axis) => fromStart(axis, query.rank));

      // Axes of the projected query, and of the projected key: those that are looked along differ.
      const rank = query.rank + 1;
      const target = LETTERS.slice(0, rank);
      const source = [...target].map((letter, i) => (over.includes(i) ? letter.toUpperCase() : letter)).join("");
      const batch = [...target].filter((_, i) => !over.includes(i) && i !== rank - 1).join("");
      const from = over.map((axis) => target[axis]).join("");
      const to = over.map((axis) => source[axis]).join("");

      const q = tf.mul(this.project("query", query, 1), 1 / Math.sqrt(this.keyDim));
      const k = this.project("key", key, 1);
      const v = this.project("value", value, 1);
      const scores = contract({ left: target, right: source, out: batch + from + to }, q, k);
      const weights = this.shares(scores, over.length, this.held(scores, masks, inputs.length), training);
      const looked = contract({ left: batch + from + to, right: source, out: target }, weights, v);
      return this.project("attention_output", looked, 2);
    }

    /** Softmax over the axes that are looked along, but for the places that are hidden. */
    private shares(scores: Tensor, along: number, held: Tensor | null, training: boolean): Tensor {
      const outer = scores.shape.slice(0, scores.rank - along);
      const flat = tf.reshape(scores, [...outer, -1]);
      const mask = held === null ? null : tf.reshape(tf.mul(held, tf.onesLike(scores)), flat.shape);
      const shown = mask === null ? flat : tf.sub(tf.mul(flat, mask), tf.mul(1e9, tf.sub(1, mask)));
      let out: Tensor = tf.softmax(shown, -1);
      const rate = this.option("dropout", 0);
      // Where a query may look nowhere, Keras gives the mean of all values when it computes attention in
      // one go, which it does without dropout and over one axis; otherwise it gives zero.
      const fused = rate === 0 && scores.rank === 4;
      if (mask !== null && !fused) out = tf.mul(out, mask);
      if (training && rate > 0) {
        const factors = keptFactors(clock, this.name, clock.step(this.name), rate, out.size);
        out = tf.mul(out, tf.tensor(factors, out.shape));
      }
      return tf.reshape(out, scores.shape);
    }

    /** Join the masks of query, value and key, laid out to fit the scores. */
    private held(scores: Tensor, masks: readonly (Tensor | null)[], inputs: number): Tensor | null {
      const [queryMask, valueMask, keyMask] = masks;
      const parts: Tensor[] = [];
      if (queryMask) parts.push(tf.expandDims(asNumbers(queryMask), -1));
      if (valueMask) parts.push(tf.expandDims(asNumbers(valueMask), -2));
      if (keyMask && inputs > 2) parts.push(tf.expandDims(asNumbers(keyMask), -2));
      if (this.option("useCausalMask", false)) {
        parts.push(causal(tf, scores.shape[scores.rank - 2] ?? 1, scores.shape[scores.rank - 1] ?? 1));
      }
      if (parts.length === 0) return null;
      const joined = parts.reduce((all, part) => tf.mul(all, part));
      // [batch, queries, values] becomes [batch, 1 for each axis between, queries, values].
      const [first = 1, ...last] = joined.shape;
      return tf.reshape(joined, [first, ...Array<number>(scores.rank - joined.rank).fill(1), ...last]);
    }
  }
  return [PotluckMultiHeadAttention];
}
