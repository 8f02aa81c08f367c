/**
 * BatchNormalization as Keras 3 has it. TF.js's own ignores `trainable: false`, and cannot train with
 * `scale: false`, `center: false` or an axis other than the last.
 */

import {
  add,
  moments,
  mul,
  neg,
  reshape,
  rsqrt,
  serialization,
  type Tensor,
} from "@tensorflow/tfjs-core";
import { layers, type LayerVariable } from "@tensorflow/tfjs-layers";

/** What TF.js's class has and does not show. Its weights and configuration are right as they are. */
interface Stock {
  readonly axis: number;
  readonly momentum: number;
  readonly epsilon: number;
  readonly gamma?: LayerVariable;
  readonly beta?: LayerVariable;
  readonly movingMean: LayerVariable;
  readonly movingVariance: LayerVariable;
}

type LayerClass = serialization.SerializableConstructor<layers.Layer> &
  (new (args: object) => layers.Layer & Stock);

const StockBatchNormalization = layers.batchNormalization({})
  .constructor as unknown as LayerClass;

function move(average: LayerVariable, value: Tensor, momentum: number): void {
  const kept = mul(average.read(), momentum);
  average.write(add(kept, mul(reshape(value, average.shape.map(Number)), 1 - momentum)));
}

class KerasBatchNormalization extends StockBatchNormalization {
  static readonly className = "BatchNormalization";

  override call(inputs: Tensor | Tensor[], kwargs: { training?: boolean }): Tensor {
    const input = Array.isArray(inputs) ? inputs[0] : inputs;
    if (input === undefined) throw new Error("BatchNormalization takes one tensor");
    const axis = this.axis < 0 ? this.axis + input.rank : this.axis;
    const broadcast = input.shape.map((size, i) => (i === axis ? size : 1));
    const spread = (variable: LayerVariable): Tensor => reshape(variable.read(), broadcast);

    let mean = spread(this.movingMean);
    let variance = spread(this.movingVariance);
    // A frozen layer normalises by its moving statistics in training too.
    if (kwargs.training === true && this.trainable) {
      const others = input.shape.map((_, i) => i).filter((i) => i !== axis);
      ({ mean, variance } = moments(input, others, true));
      move(this.movingMean, mean, this.momentum);
      move(this.movingVariance, variance, this.momentum);
    }
    let scale: Tensor = rsqrt(add(variance, this.epsilon));
    if (this.gamma !== undefined) scale = mul(scale, spread(this.gamma));
    let offset: Tensor = neg(mul(mean, scale));
    if (this.beta !== undefined) offset = add(offset, spread(this.beta));
    return add(mul(input, scale), offset);
  }
}

/** Let every `BatchNormalization` that is opened from JSON be ours. */
export function registerBatchNormalization(): void {
  serialization.registerClass(
    KerasBatchNormalization as unknown as serialization.SerializableConstructor<layers.Layer>,
  );
}
