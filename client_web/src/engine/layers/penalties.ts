/** What leaves a tensor as it is: Identity, Unmask, and the penalty on what a layer gives. */

import type { serialization, Tensor } from "@tensorflow/tfjs-core";
import { type Kit, type LayerClass, only, type Options, type Tf } from "./kit";

export function penalties({ tf, Own }: Kit): LayerClass[] {
  class PotluckIdentity extends Own {
    static readonly className: string = "PotluckIdentity";
    protected override readonly handsMaskOn: boolean = true;

    override run(inputs: Tensor[], _options: Options): Tensor {
      return only(inputs);
    }
  }

  class PotluckUnmask extends PotluckIdentity {
    static override readonly className = "PotluckUnmask";
    protected override readonly handsMaskOn = false;
  }

  class PotluckActivityRegularization extends PotluckIdentity {
    static override readonly className = "PotluckActivityRegularization";

    override run(inputs: Tensor[], { training }: Options): Tensor {
      const x = only(inputs);
      const l1 = this.option("l1", 0);
      const l2 = this.option("l2", 0);
      if (!training || (l1 === 0 && l2 === 0)) return x;
      const rows = x.shape[0] ?? 1;
      // TF.js adds up penalties on weights only, so this one goes into the gradient.
      const penalised = tf.customGrad((value, save) => {
        (save as (kept: Tensor[]) => void)([value as Tensor]);
        const gradFunc = (dy: Tensor, [kept]: Tensor[]): Tensor => {
          if (kept === undefined) throw new Error("the input was not kept");
          const slope = tf.add(tf.mul(l1, tf.sign(kept)), tf.mul(2 * l2, kept));
          return tf.add(dy, tf.div(slope, rows));
        };
        return { value: tf.clone(value as Tensor), gradFunc };
      });
      return penalised(x);
    }
  }

  return [PotluckIdentity, PotluckUnmask, PotluckActivityRegularization];
}

/** Keras's penalty on rows or columns that are not orthogonal. */
export function orthogonalRegularizer(tf: Tf): serialization.SerializableConstructor<serialization.Serializable> {
  // TF.js does not show its class of regularizers; what it asks of one is `apply` and a configuration.
  const Regularizer = Object.getPrototypeOf(
    (tf.layers.dense({ units: 1, name: "unused", kernelRegularizer: "l1l2" }) as unknown as {
      kernelRegularizer: { constructor: object };
    }).kernelRegularizer.constructor,
  ) as (new () => serialization.Serializable) & Pick<typeof tf.serialization.Serializable, "fromConfig">;

  return class PotluckOrthogonalRegularizer extends Regularizer {
    static readonly className = "PotluckOrthogonalRegularizer";
    private readonly factor: number;
    private readonly mode: string;

    constructor(args: { factor?: number; mode?: string }) {
      super();
      this.factor = args.factor ?? 0.01;
      this.mode = args.mode ?? "rows";
    }

    apply(weight: Tensor): Tensor {
      return tf.tidy(() => {
        const x = this.mode === "rows" ? weight : tf.transpose(weight);
        const norms = tf.sqrt(tf.maximum(tf.sum(tf.square(x), 1, true), 1e-24));
        const unit = tf.div(x, tf.maximum(norms, 1e-12));
        const count = x.shape[0] ?? 1;
        const others = tf.mul(tf.matMul(unit, unit, false, true), tf.sub(1, tf.eye(count)));
        return tf.div(tf.mul(this.factor, tf.sum(tf.abs(others))), count * (count - 1));
      });
    }

    getConfig(): serialization.ConfigDict {
      return { factor: this.factor, mode: this.mode };
    }
  };
}
