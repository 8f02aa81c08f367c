/** Layers that add chance while training. What they draw is a function of (seed, layer, step). */

import type { Tensor } from "@tensorflow/tfjs-core";
import { type Kit, type LayerClass, only, type Options } from "./kit";
import { keptFactors, normals, uniforms } from "./noise";

const SELU_ALPHA = 1.6732632423543772;
const SELU_SCALE = 1.0507009873554805;

export function noiseLayers({ tf, Own, clock }: Kit): LayerClass[] {
  abstract class Noisy extends Own {
    protected override readonly handsMaskOn = true;

    override run(inputs: Tensor[], { training }: Options): Tensor {
      const x = only(inputs);
      return training && this.strength() > 0 ? this.disturb(x, clock.step(this.name)) : x;
    }

    protected strength(): number {
      return this.option("rate", 0);
    }

    protected abstract disturb(x: Tensor, step: number): Tensor;

    /** The shape of what is drawn: where it is 1, the whole axis shares a draw. */
    protected noiseShape(x: Tensor): number[] {
      const asked = this.option<(number | null)[]>("noiseShape", []);
      return x.shape.map((length, axis) => asked[axis] ?? length);
    }

    protected factors(shape: number[], step: number): Tensor {
      const size = shape.reduce((all, length) => all * length, 1);
      return tf.tensor(keptFactors(clock, this.name, step, this.strength(), size), shape);
    }

    protected normal(x: Tensor, step: number, kind: string): Tensor {
      return tf.tensor(normals(clock.seed(), `${kind}/${this.name}`, step, x.size), x.shape);
    }
  }

  class PotluckDropout extends Noisy {
    static readonly className: string = "PotluckDropout";

    protected override disturb(x: Tensor, step: number): Tensor {
      return tf.mul(x, this.factors(this.noiseShape(x), step));
    }
  }

  const spatial = [1, 2, 3].map((rank) => {
    return class extends PotluckDropout {
      static override readonly className = `PotluckSpatialDropout${rank}D`;

      protected override noiseShape(x: Tensor): number[] {
        return x.shape.map((length, axis) => (axis === 0 || axis === x.rank - 1 ? length : 1));
      }
    };
  });

  class PotluckGaussianNoise extends Noisy {
    static readonly className = "PotluckGaussianNoise";

    protected override strength(): number {
      return this.option("stddev", 0);
    }

    protected override disturb(x: Tensor, step: number): Tensor {
      return tf.add(x, tf.mul(this.strength(), this.normal(x, step, "gaussian_noise")));
    }
  }

  class PotluckGaussianDropout extends Noisy {
    static readonly className = "PotluckGaussianDropout";

    protected override disturb(x: Tensor, step: number): Tensor {
      const rate = this.strength();
      const deviation = Math.sqrt(rate / (1 - rate));
      return tf.mul(x, tf.add(1, tf.mul(deviation, this.normal(x, step, "gaussian_dropout"))));
    }
  }

  class PotluckAlphaDropout extends Noisy {
    static readonly className = "PotluckAlphaDropout";

    protected override disturb(x: Tensor, step: number): Tensor {
      const rate = this.strength();
      const shape = this.noiseShape(x);
      const size = shape.reduce((all, length) => all * length, 1);
      const drawn = uniforms(clock.seed(), `alpha_dropout/${this.name}`, step, size, [0, 1]);
      const kept = tf.tensor(drawn.map((value) => (value >= rate ? 1 : 0)), shape);
      const floor = -SELU_ALPHA * SELU_SCALE;
      const a = 1 / Math.sqrt((1 - rate) * (1 + rate * floor ** 2));
      const b = -a * floor * rate;
      const held = tf.add(tf.mul(x, kept), tf.mul(floor, tf.sub(1, kept)));
      return tf.add(tf.mul(a, held), b);
    }
  }

  return [PotluckDropout, ...spatial, PotluckGaussianNoise, PotluckGaussianDropout, PotluckAlphaDropout];
}
