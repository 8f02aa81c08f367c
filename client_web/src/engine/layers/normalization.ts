/** LayerNormalization, RMSNormalization, GroupNormalization, UnitNormalization and Normalization. */

import type { Tensor } from "@tensorflow/tfjs-core";
import type { LayerVariable } from "@tensorflow/tfjs-layers";
import { axesOf, fromStart, type Kit, type LayerClass, only, type Shape } from "./kit";

/** Keras's backend epsilon. */
const EPSILON = 1e-7;

export function normalizations({ tf, Own }: Kit): LayerClass[] {
  abstract class Scaled extends Own {
    protected override readonly handsMaskOn = true;
    protected gamma: LayerVariable | null = null;
    protected beta: LayerVariable | null = null;

    protected makeWeights(shape: readonly number[], scale: boolean, center: boolean): void {
      if (scale) this.gamma = this.weight("gamma", shape, "gamma", "ones");
      if (center) this.beta = this.weight("beta", shape, "beta", "zeros");
      this.built = true;
    }

    /** Scale and shift by the weights, laid out as `shape`. */
    protected scaled(x: Tensor, shape: number[]): Tensor {
      const out = this.gamma === null ? x : tf.mul(x, tf.reshape(this.gamma.read(), shape));
      return this.beta === null ? out : tf.add(out, tf.reshape(this.beta.read(), shape));
    }

    protected standardized(x: Tensor, over: number[]): Tensor {
      const { mean, variance } = tf.moments(x, over, true);
      return tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, this.option("epsilon", 1e-3))));
    }
  }

  class PotluckLayerNormalization extends Scaled {
    static readonly className = "PotluckLayerNormalization";

    override build(inputShape: Shape | Shape[]): void {
      const shape = inputShape as Shape;
      const sizes = axesOf(this.option<unknown>("axis", -1), shape.length).map((axis) => Number(shape[axis]));
      const rms = this.option("rmsScaling", false);
      this.makeWeights(sizes, rms || this.option("scale", true), !rms && this.option("center", true));
    }

    override run(inputs: Tensor[]): Tensor {
      const x = only(inputs);
      const over = axesOf(this.option<unknown>("axis", -1), x.rank);
      const shape = x.shape.map((length, i) => (over.includes(i) ? length : 1));
      if (!this.option("rmsScaling", false)) return this.scaled(this.standardized(x, over), shape);
      // Keras divides by the deviation, and leaves the mean where it is.
      const { variance } = tf.moments(x, over, true);
      return this.scaled(tf.mul(x, tf.rsqrt(tf.add(variance, this.option("epsilon", 1e-3)))), shape);
    }
  }

  class PotluckRMSNormalization extends Own {
    static readonly className = "PotluckRMSNormalization";
    private factor: LayerVariable | null = null;

    override build(inputShape: Shape | Shape[]): void {
      const shape = inputShape as Shape;
      const over = axesOf(this.option<unknown>("axis", -1), shape.length);
      this.factor = this.weight("scale", over.map((axis) => Number(shape[axis])), "scale", "ones");
      this.built = true;
    }

    override run(inputs: Tensor[]): Tensor {
      const x = only(inputs);
      const over = axesOf(this.option<unknown>("axis", -1), x.rank);
      const shape = x.shape.map((length, i) => (over.includes(i) ? length : 1));
      const squares = tf.mean(tf.square(x), over, true);
      const unit = tf.mul(x, tf.rsqrt(tf.add(squares, this.option("epsilon", 1e-6))));
      return this.factor === null ? unit : tf.mul(unit, tf.reshape(this.factor.read(), shape));
    }
  }

  class PotluckGroupNormalization extends Scaled {
    static readonly className = "PotluckGroupNormalization";

    override build(inputShape: Shape | Shape[]): void {
      const shape = inputShape as Shape;
      const channels = Number(shape[fromStart(this.option("axis", -1), shape.length)]);
      this.makeWeights([channels], this.option("scale", true), this.option("center", true));
    }

    override run(inputs: Tensor[]): Tensor {
      const x = only(inputs);
      const axis = fromStart(this.option("axis", -1), x.rank);
      const channels = x.shape[axis] ?? 1;
      const asked = this.option<number>("groups", 32);
      const groups = asked === -1 ? channels : asked;
      // Four axes, whatever the input's rank: [batch, before, groups, the rest of a group].
      const before = x.shape.slice(1, axis).reduce((all, length) => all * length, 1);
      const flat = tf.reshape(x, [x.shape[0] ?? 1, before, groups, -1]);
      const out = tf.reshape(this.standardized(flat, [1, 3]), x.shape);
      return this.scaled(out, x.shape.map((length, i) => (i === axis ? length : 1)));
    }
  }

  class PotluckUnitNormalization extends Own {
    static readonly className = "PotluckUnitNormalization";
    protected override readonly handsMaskOn = true;

    override run(inputs: Tensor[]): Tensor {
      const x = only(inputs);
      const over = axesOf(this.option<unknown>("axis", -1), x.rank);
      const squares = tf.sum(tf.square(x), over, true);
      // Keras cuts 1 / norm at 1e12; float32 holds its square.
      return tf.mul(x, tf.rsqrt(tf.maximum(squares, 1e-24)));
    }
  }

  class PotluckNormalization extends Own {
    static readonly className = "PotluckNormalization";
    protected override readonly handsMaskOn = true;
    private fitted: { mean: LayerVariable; variance: LayerVariable } | null = null;

    private kept(rank: number): number[] {
      const axis = this.given["axis"];
      return axis === null || axis === undefined ? [] : axesOf(axis, rank);
    }

    override build(inputShape: Shape | Shape[]): void {
      const shape = inputShape as Shape;
      if ((this.given["mean"] ?? null) === null) {
        const sizes = this.kept(shape.length).map((axis) => Number(shape[axis]));
        const mean = this.state("mean", sizes, "mean", "zeros");
        const variance = this.state("variance", sizes, "variance", "ones");
        this.state("count", [], "count", "zeros");
        this.fitted = { mean, variance };
      }
      this.built = true;
    }

    override run(inputs: Tensor[]): Tensor {
      const x = tf.cast(only(inputs), "float32");
      const kept = this.kept(x.rank);
      const shape = x.shape.map((length, i) => (kept.includes(i) ? length : 1));
      const sizes = kept.map((axis) => x.shape[axis] ?? 1);
      const value = (name: "mean" | "variance"): Tensor => {
        if (this.fitted !== null) return tf.reshape(this.fitted[name].read(), shape);
        const given = tf.tensor(this.given[name] as number[]);
        // Given as a number for each place of the kept axes, or as one for all of them.
        return tf.reshape(tf.mul(given, tf.ones(sizes)), shape);
      };
      const mean = value("mean");
      const deviation = tf.maximum(tf.sqrt(value("variance")), EPSILON);
      return this.option("invert", false)
        ? tf.add(mean, tf.mul(x, deviation))
        : tf.div(tf.sub(x, mean), deviation);
    }
  }

  return [
    PotluckLayerNormalization,
    PotluckRMSNormalization,
    PotluckGroupNormalization,
    PotluckUnitNormalization,
    PotluckNormalization,
  ];
}
