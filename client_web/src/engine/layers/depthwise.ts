/** Convolutions of each channel by itself, and followed by one over the channels. */

import type { Tensor } from "@tensorflow/tfjs-core";
import type { LayerVariable } from "@tensorflow/tfjs-layers";
import { geometry, makeConvolve, outputLengths } from "./convolution";
import { type Kit, type LayerClass, only, type Shape, sizes } from "./kit";

export function depthwiseConvolutions(kit: Kit): LayerClass[] {
  const { tf, Own } = kit;
  const convolve = makeConvolve(kit);

  const classes = [1, 2].map((rank) => {
    class PotluckDepthwise extends Own {
      static readonly className: string = `PotluckDepthwiseConv${rank}D`;
      protected depthwise: LayerVariable | null = null;
      protected bias: LayerVariable | null = null;
      protected readonly activation = this.activationOf("activation");

      /** Make the weights for so many channels; give how many come out. */
      protected makeWeights(channels: number): number {
        const taps = sizes(this.given["kernelSize"], rank, 1);
        const each = this.option("depthMultiplier", 1);
        this.depthwise = this.weight("depthwise_kernel", [...taps, channels, each], "depthwise");
        return channels * each;
      }

      override build(inputShape: Shape | Shape[]): void {
        const filters = this.makeWeights(Number((inputShape as Shape)[rank + 1]));
        if (this.option("useBias", true)) this.bias = this.weight("bias", [filters], "bias", "zeros");
        this.built = true;
      }

      protected filters(channels: number | null): number | null {
        return channels === null ? null : channels * this.option("depthMultiplier", 1);
      }

      override computeOutputShape(inputShape: Shape | Shape[]): Shape {
        const [batch = null, ...rest] = inputShape as Shape;
        const lengths = outputLengths(rest.slice(0, -1), geometry(this.given, rank));
        return [batch, ...lengths, this.filters(rest[rest.length - 1] ?? null)];
      }

      protected each(x: Tensor): Tensor {
        if (this.depthwise === null) throw new Error("the layer was not built");
        const kernel = this.depthwise.read();
        const channels = x.shape[rank + 1] ?? 1;
        // One group for each channel: [...taps, 1, channels * multiplier].
        const grouped = tf.reshape(kernel, [...kernel.shape.slice(0, rank), 1, -1]);
        return convolve(x, grouped, geometry(this.given, rank), channels);
      }

      override run(inputs: Tensor[]): Tensor {
        return this.finish(this.each(only(inputs)));
      }

      protected finish(out: Tensor): Tensor {
        return this.activation.apply(this.bias === null ? out : tf.add(out, this.bias.read()));
      }
    }

    class PotluckSeparable extends PotluckDepthwise {
      static override readonly className = `PotluckSeparableConv${rank}D`;
      private pointwise: LayerVariable | null = null;

      protected override makeWeights(channels: number): number {
        const between = super.makeWeights(channels);
        const filters = this.option("filters", 1);
        const ones = Array<number>(rank).fill(1);
        this.pointwise = this.weight("pointwise_kernel", [...ones, between, filters], "pointwise");
        return filters;
      }

      protected override filters(): number {
        return this.option("filters", 1);
      }

      override run(inputs: Tensor[]): Tensor {
        const between = this.each(only(inputs));
        if (this.pointwise === null) throw new Error("the layer was not built");
        const width = between.shape[rank + 1] ?? 1;
        const flat = tf.matMul(tf.reshape(between, [-1, width]), tf.reshape(this.pointwise.read(), [width, -1]));
        return this.finish(tf.reshape(flat, [...between.shape.slice(0, -1), -1]));
      }
    }

    return [PotluckDepthwise, PotluckSeparable] as LayerClass[];
  });
  return classes.flat();
}
