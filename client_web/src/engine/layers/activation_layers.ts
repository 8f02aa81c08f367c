/** ReLU, ELU, ThresholdedReLU and Softmax with every option of Keras's. */

import type { Tensor } from "@tensorflow/tfjs-core";
import { above } from "./activations";
import { axesOf, type Kit, type LayerClass, only, type Options } from "./kit";

export function activationLayers({ tf, Own, asNumbers }: Kit): LayerClass[] {
  class PotluckReLU extends Own {
    static readonly className = "PotluckReLU";
    protected override readonly handsMaskOn = true;

    override run(inputs: Tensor[]): Tensor {
      const x = only(inputs);
      const slope = this.option("negativeSlope", 0);
      const threshold = this.option("threshold", 0);
      const largest = this.option<number | null>("maxValue", null);
      let out = threshold === 0 ? tf.relu(x) : tf.mul(x, above(tf, x, threshold));
      if (largest !== null) out = tf.minimum(tf.maximum(out, 0), largest);
      if (slope === 0) return out;
      return tf.sub(out, tf.mul(slope, tf.relu(tf.sub(threshold, x))));
    }
  }

  class PotluckELU extends Own {
    static readonly className = "PotluckELU";
    protected override readonly handsMaskOn = true;

    override run(inputs: Tensor[]): Tensor {
      const x = only(inputs);
      // What is positive is cut off before exp, where it could overflow.
      const below = tf.sub(tf.exp(tf.neg(tf.relu(tf.neg(x)))), 1);
      return tf.add(tf.relu(x), tf.mul(this.option("alpha", 1), below));
    }
  }

  class PotluckThresholdedReLU extends Own {
    static readonly className = "PotluckThresholdedReLU";
    protected override readonly handsMaskOn = true;

    override run(inputs: Tensor[]): Tensor {
      const x = only(inputs);
      return tf.mul(x, above(tf, x, this.option("theta", 1)));
    }
  }

  class PotluckSoftmax extends Own {
    static readonly className = "PotluckSoftmax";
    protected override readonly handsMaskOn = true;

    override run(inputs: Tensor[], { masks }: Options): Tensor {
      const x = only(inputs);
      const axes = axesOf(this.option<unknown>("axis", -1), x.rank);
      const [mask] = masks;
      if (mask === null || mask === undefined) return softmaxOver(x, axes);
      return maskedSoftmax(x, asNumbers(mask), axes);
    }
  }

  function softmaxOver(x: Tensor, axes: readonly number[]): Tensor {
    const over = [...axes];
    // Its gradient is exact whatever is subtracted, so the largest is not followed.
    const exps = tf.exp(tf.sub(x, tf.max(x, over, true)));
    return tf.div(exps, tf.sum(exps, over, true));
  }

  /** Keras adds nothing: it puts -1e9 where the mask does not hold, and zero there afterwards. */
  function maskedSoftmax(x: Tensor, held: Tensor, axes: readonly number[]): Tensor {
    const shifted = tf.sub(tf.mul(x, held), tf.mul(1e9, tf.sub(1, held)));
    return tf.mul(softmaxOver(shifted, axes), held);
  }

  return [PotluckReLU, PotluckELU, PotluckThresholdedReLU, PotluckSoftmax];
}
