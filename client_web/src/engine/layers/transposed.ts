/** Transposed convolutions: zeros between the places, then a convolution by the kernel turned around. */

import type { Tensor } from "@tensorflow/tfjs-core";
import type { LayerVariable } from "@tensorflow/tfjs-layers";
import type { Window } from "./axes";
import { geometry, makeAddBias, makeConvolve } from "./convolution";
import { type Kit, type LayerClass, only, type Shape, sizes } from "./kit";

/** How much the spread-out axis is padded before the convolution; both may be negative (cut off). */
function sides({ taps, stride, dilation }: Window, padding: string, extra: number | null): [number, number] {
  const reach = (taps - 1) * dilation + 1;
  if (padding === "valid") {
    const rest = extra ?? Math.max(reach, stride) - reach;
    return [reach - 1, reach - 1 + rest];
  }
  const total = extra === null ? stride + reach - 2 : reach + (reach % 2) - 2 + extra;
  const left = Math.min(Math.floor(total / 2) + (total % 2), reach - 1);
  return [left, total - left];
}

export function transposedConvolutions(kit: Kit): LayerClass[] {
  const { tf, Own, axes } = kit;
  const addBias = makeAddBias(kit);
  const convolve = makeConvolve(kit);

  return [1, 2, 3].map((rank) => {
    return class extends Own {
      static readonly className: string = `PotluckConv${rank}DTranspose`;
      private kernel: LayerVariable | null = null;
      private bias: LayerVariable | null = null;
      private readonly activation = this.activationOf("activation");

      override build(inputShape: Shape | Shape[]): void {
        const channels = Number((inputShape as Shape)[rank + 1]);
        const filters = this.option("filters", 1);
        const taps = sizes(this.given["kernelSize"], rank, 1);
        this.kernel = this.weight("kernel", [...taps, filters, channels], "kernel");
        if (this.option("useBias", true)) this.bias = this.weight("bias", [filters], "bias", "zeros");
        this.built = true;
      }

      private plan(): { window: Window; sides: [number, number] }[] {
        const { over, padding } = geometry(this.given, rank);
        const extra = this.given["outputPadding"] as number | number[] | null | undefined;
        return over.map((window, i) => {
          const own = extra === null || extra === undefined ? null : (sizes(extra, rank, 0)[i] ?? null);
          return { window, sides: sides(window, padding, own) };
        });
      }

      override computeOutputShape(inputShape: Shape | Shape[]): Shape {
        const [batch = null, ...rest] = inputShape as Shape;
        const lengths = this.plan().map(({ window, sides: [before, after] }, i) => {
          const length = rest[i] ?? null;
          if (length === null) return null;
          const reach = (window.taps - 1) * window.dilation;
          return (length - 1) * window.stride + 1 + before + after - reach;
        });
        return [batch, ...lengths, this.option("filters", 1)];
      }

      override run(inputs: Tensor[]): Tensor {
        if (this.kernel === null) throw new Error("the layer was not built");
        const plan = this.plan();
        const spread = plan.reduce((x, { window, sides: [before, after] }, i) => {
          const wide = axes.spread(x, i + 1, window.stride);
          const padded = axes.pad(wide, i + 1, [Math.max(0, before), Math.max(0, after)]);
          const cut = Math.max(0, -before);
          return axes.cut(padded, i + 1, cut, (padded.shape[i + 1] ?? 0) - cut - Math.max(0, -after));
        }, only(inputs));
        const value = this.kernel.read();
        const taps = value.shape.slice(0, rank);
        const [filters = 1, channels = 1] = value.shape.slice(rank);
        // All taps in one row: turned around as a whole, every axis is.
        const turned = tf.reverse(tf.reshape(value, [-1, filters, channels]), 0);
        const kernel = tf.reshape(tf.transpose(turned, [0, 2, 1]), [...taps, channels, filters]);
        const over = plan.map(({ window }) => ({ ...window, stride: 1 }));
        const out = convolve(spread, kernel, { over, padding: "valid" });
        return this.activation.apply(addBias(out, this.bias));
      }
    };
  });
}
