/**
 * BatchNormalization as Keras 3 has it. TF.js's own ignores `trainable: false`, and cannot train with
 * `scale: false`, `center: false` or an axis other than the last; and it knows no masks.
 */

import type { Tensor } from "@tensorflow/tfjs-core";
import type { LayerVariable } from "@tensorflow/tfjs-layers";
import { fromStart, type Kit, type LayerClass, only, type Options, type Shape } from "./kit";

/** Keras's backend epsilon: what it adds to the number of rows that a mask leaves. */
const EPSILON = 1e-7;

export function batchNormalizations({ tf, Own, asNumbers }: Kit): LayerClass[] {
  class PotluckBatchNormalization extends Own {
    static readonly className: string = "PotluckBatchNormalization";
    protected override readonly handsMaskOn = true;
    private gamma: LayerVariable | null = null;
    private beta: LayerVariable | null = null;
    private mean: LayerVariable | null = null;
    private variance: LayerVariable | null = null;

    private axis(rank: number): number {
      const given = this.given["axis"] ?? -1;
      return fromStart(Number(Array.isArray(given) ? given[0] : given), rank);
    }

    override build(inputShape: Shape | Shape[]): void {
      const shape = inputShape as Shape;
      const size = [Number(shape[this.axis(shape.length)])];
      if (this.option("scale", true)) this.gamma = this.weight("gamma", size, "gamma", "ones");
      if (this.option("center", true)) this.beta = this.weight("beta", size, "beta", "zeros");
      this.mean = this.state("moving_mean", size, "movingMean", "zeros");
      this.variance = this.state("moving_variance", size, "movingVariance", "ones");
      this.built = true;
    }

    private move(average: LayerVariable, value: Tensor): void {
      const momentum = this.option("momentum", 0.99);
      const now = tf.reshape(value, average.shape.map(Number));
      average.write(tf.add(tf.mul(average.read(), momentum), tf.mul(now, 1 - momentum)));
    }

    override run(inputs: Tensor[], { training, masks }: Options): Tensor {
      const x = only(inputs);
      if (this.mean === null || this.variance === null) throw new Error("the layer was not built");
      const axis = this.axis(x.rank);
      const shape = x.shape.map((length, i) => (i === axis ? length : 1));
      const spread = (variable: LayerVariable): Tensor => tf.reshape(variable.read(), shape);

      let mean = spread(this.mean);
      let variance = spread(this.variance);
      // A frozen layer normalises by its moving statistics in training too.
      if (training && this.trainable) {
        ({ mean, variance } = this.statistics(x, axis, masks[0] ?? null));
        this.move(this.mean, mean);
        this.move(this.variance, variance);
      }
      let scale: Tensor = tf.rsqrt(tf.add(variance, this.option("epsilon", 1e-3)));
      if (this.gamma !== null) scale = tf.mul(scale, spread(this.gamma));
      let offset: Tensor = tf.neg(tf.mul(mean, scale));
      if (this.beta !== null) offset = tf.add(offset, spread(this.beta));
      return tf.add(tf.mul(x, scale), offset);
    }

    private statistics(x: Tensor, axis: number, mask: Tensor | null): { mean: Tensor; variance: Tensor } {
      const others = x.shape.map((_, i) => i).filter((i) => i !== axis);
      if (mask === null) return tf.moments(x, others, true);
      const held = tf.mul(tf.expandDims(asNumbers(mask), -1), tf.onesLike(x));
      const count = tf.add(tf.sum(held, others, true), EPSILON);
      const mean = tf.div(tf.sum(tf.mul(x, held), others, true), count);
      const squares = tf.mul(held, tf.square(tf.sub(x, mean)));
      return { mean, variance: tf.div(tf.sum(squares, others, true), count) };
    }
  }
  return [PotluckBatchNormalization];
}
