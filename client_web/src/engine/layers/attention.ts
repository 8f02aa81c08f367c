/** Attention and AdditiveAttention, on [query, value] or [query, value, key]. */

import type { Tensor } from "@tensorflow/tfjs-core";
import type { LayerVariable } from "@tensorflow/tfjs-layers";
import { type Kit, type LayerClass, type Options, type Shape, type Tf } from "./kit";
import { keptFactors } from "./noise";

/** What Keras takes off the score of a place that is not to be looked at. */
const HIDDEN = 1e9;

/** Give 1 where a query may look at a value, else 0: [1, queries, values]. */
export function causal(tf: Tf, queries: number, values: number): Tensor {
  const held = Float32Array.from({ length: queries * values }, (_, i) =>
    i % values <= Math.floor(i / values) ? 1 : 0,
  );
  return tf.tensor(held, [1, queries, values]);
}

export function attentionLayers({ tf, Own, clock, asNumbers }: Kit): LayerClass[] {
  abstract class Attending extends Own {
    protected override readonly handsMaskOn = true;
    protected scale: LayerVariable | null = null;

    override computeOutputShape(inputShape: Shape | Shape[]): Shape {
      const [query = [], value = []] = inputShape as Shape[];
      return [...query.slice(0, -1), value[value.length - 1] ?? null];
    }

    protected abstract scores(query: Tensor, key: Tensor): Tensor;

    override run(inputs: Tensor[], { training, masks }: Options): Tensor {
      const [query, value, key = value] = inputs;
      if (query === undefined || value === undefined || key === undefined) throw new Error("query and value expected");
      let scores = this.scores(query, key);
      const held = this.held(scores, masks[1] ?? null);
      if (held !== null) scores = tf.sub(scores, tf.mul(HIDDEN, tf.sub(1, held)));
      let weights: Tensor = tf.softmax(scores, -1);
      const rate = this.option("dropout", 0);
      if (training && rate > 0) {
        const factors = keptFactors(clock, this.name, clock.step(this.name), rate, weights.size);
        weights = tf.mul(weights, tf.tensor(factors, weights.shape));
      }
      const out = tf.matMul(weights, value);
      const [queryMask] = masks;
      return queryMask ? tf.mul(out, tf.expandDims(asNumbers(queryMask), -1)) : out;
    }

    private held(scores: Tensor, valueMask: Tensor | null): Tensor | null {
      const values = valueMask === null ? null : tf.expandDims(asNumbers(valueMask), -2);
      if (!this.option("useCausalMask", false)) return values;
      const before = causal(tf, scores.shape[scores.rank - 2] ?? 1, scores.shape[scores.rank - 1] ?? 1);
      return values === null ? before : tf.mul(values, before);
    }
  }

  /** Every query beside every key: [batch, queries, keys, features]. */
  const pairs = (query: Tensor, key: Tensor): Tensor => tf.tanh(tf.add(tf.expandDims(query, -2), tf.expandDims(key, -3)));

  class PotluckAttention extends Attending {
    static readonly className = "PotluckAttention";
    private concatWeight: LayerVariable | null = null;

    override build(): void {
      if (this.option("useScale", false)) this.scale = this.weight("scale", [], "scale", "ones");
      if (this.option<string>("scoreMode", "dot") === "concat") {
        this.concatWeight = this.weight("concat_score_weight", [], "concatScoreWeight", "ones");
      }
      this.built = true;
    }

    protected override scores(query: Tensor, key: Tensor): Tensor {
      if (this.concatWeight !== null) {
        const scale = this.scale?.read();
        const [q, k] = scale === undefined ? [query, key] : [tf.mul(query, scale), tf.mul(key, scale)];
        return tf.mul(this.concatWeight.read(), tf.sum(pairs(q, k), -1));
      }
      const dots = tf.matMul(query, key, false, true);
      return this.scale === null ? dots : tf.mul(dots, this.scale.read());
    }
  }

  class PotluckAdditiveAttention extends Attending {
    static readonly className = "PotluckAdditiveAttention";

    override build(inputShape: Shape | Shape[]): void {
      const [query = []] = inputShape as Shape[];
      if (this.option("useScale", true)) {
        this.scale = this.weight("scale", [Number(query[query.length - 1])], "scale");
      }
      this.built = true;
    }

    protected override scores(query: Tensor, key: Tensor): Tensor {
      const all = pairs(query, key);
      return tf.sum(this.scale === null ? all : tf.mul(all, this.scale.read()), -1);
    }
  }

  return [PotluckAttention, PotluckAdditiveAttention];
}
