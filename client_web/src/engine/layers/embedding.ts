/** Embedding of whole numbers over any number of axes; TF.js's own takes exactly one. */

import type { Tensor } from "@tensorflow/tfjs-core";
import type { LayerVariable } from "@tensorflow/tfjs-layers";
import { fixed, type Kit, type LayerClass, list, only, type Shape } from "./kit";

export function embeddings({ tf, Own }: Kit): LayerClass[] {
  class PotluckEmbedding extends Own {
    static readonly className = "PotluckEmbedding";
    private table: LayerVariable | null = null;

    override build(): void {
      const size = [this.option("inputDim", 1), this.option("outputDim", 1)];
      this.table = this.weight("embeddings", size, "embeddings", "randomUniform");
      this.built = true;
    }

    override computeOutputShape(inputShape: Shape | Shape[]): Shape {
      return [...(inputShape as Shape), this.option("outputDim", 1)];
    }

    override computeMask(inputs: Tensor | Tensor[]): Tensor {
      if (!this.option("maskZero", false)) return null as unknown as Tensor;
      const x = only(list(inputs));
      return fixed(tf, () => tf.notEqual(x, 0));
    }

    override run(inputs: Tensor[]): Tensor {
      if (this.table === null) throw new Error("the layer was not built");
      const x = only(inputs);
      // One row of numbers: what every backend can gather, and add up again for the gradient.
      const rows = tf.gather(this.table.read(), tf.reshape(tf.cast(x, "int32"), [x.size]));
      return tf.reshape(rows, [...x.shape, this.option("outputDim", 1)]);
    }
  }
  return [PotluckEmbedding];
}
