/** ConvLSTM2D with dilation, and with masks of dropout that can be drawn again. */

import type { Tensor } from "@tensorflow/tfjs-core";
import type { LayerVariable } from "@tensorflow/tfjs-layers";
import { geometry, makeConvolve, outputLengths } from "./convolution";
import { type Kit, type LayerClass, maskOf, only, type Options, type Shape, sizes } from "./kit";
import { keptFactors } from "./noise";
import { makeWalk } from "./sequence";

const GATES = 4;

export function convLstmLayers(kit: Kit): LayerClass[] {
  const { tf, Own, clock } = kit;
  const convolve = makeConvolve(kit);
  const walk = makeWalk(kit);

  class PotluckConvLSTM2D extends Own {
    static readonly className = "PotluckConvLSTM2D";
    private kernel: LayerVariable | null = null;
    private recurrentKernel: LayerVariable | null = null;
    private bias: LayerVariable | null = null;
    private readonly activation = this.activationOf("activation", "tanh");
    private readonly recurrentActivation = this.activationOf("recurrentActivation", "sigmoid");
    private readonly filters = this.option("filters", 1);
    readonly returnSequences = this.option("returnSequences", false);

    protected override readonly handsMaskOn = this.returnSequences;

    override build(inputShape: Shape | Shape[]): void {
      const channels = Number((inputShape as Shape)[4]);
      const taps = sizes(this.given["kernelSize"], 2, 1);
      const width = GATES * this.filters;
      this.kernel = this.weight("kernel", [...taps, channels, width], "kernel");
      this.recurrentKernel = this.weight(
        "recurrent_kernel", [...taps, this.filters, width], "recurrent", "orthogonal",
      );
      if (this.option("useBias", true)) this.bias = this.weight("bias", [width], "bias", "zeros");
      this.built = true;
    }

    override computeOutputShape(inputShape: Shape | Shape[]): Shape {
      const [batch = null, length = null, ...rest] = inputShape as Shape;
      const one = [...outputLengths(rest.slice(0, 2), geometry(this.given, 2)), this.filters];
      return this.returnSequences ? [batch, length, ...one] : [batch, ...one];
    }

    /** Draw a mask for each gate, or none. */
    private draw(what: string, rate: number, shape: number[], step: number): Tensor[] {
      if (rate === 0) return [];
      const size = GATES * shape.reduce((all, length) => all * length, 1);
      const factors = keptFactors(clock, `${this.name}/${what}`, step, rate, size);
      return Array.from({ length: GATES }, (_, gate) =>
        tf.tensor(factors.subarray((gate * size) / GATES, ((gate + 1) * size) / GATES), shape),
      );
    }

    /** Convolve to all gates, each from a masked input of its own where there are masks. */
    private gates(x: Tensor, kernel: Tensor, masks: readonly Tensor[], f: (x: Tensor, k: Tensor) => Tensor): Tensor {
      if (masks.length === 0) return f(x, kernel);
      const columns = tf.split(kernel, GATES, 3);
      return tf.concat(masks.map((mask, i) => f(tf.mul(x, mask), columns[i] ?? kernel)), 3);
    }

    override run(inputs: Tensor[], { training }: Options): Tensor {
      const x = only(inputs);
      const [kernel, recurrent] = [this.kernel?.read(), this.recurrentKernel?.read()];
      if (kernel === undefined || recurrent === undefined) throw new Error("the layer was not built");
      const rates = training ? [this.option("dropout", 0), this.option("recurrentDropout", 0)] : [0, 0];
      const [inputRate = 0, stateRate = 0] = rates;
      const step = inputRate + stateRate > 0 ? clock.step(this.name) : 0;
      const images = tf.unstack(x, 1);
      const one = images[0]?.shape ?? [];
      const inputMasks = this.draw("input", inputRate, one, step);
      const where = geometry(this.given, 2);
      const projected = images.map((image) => {
        const out = this.gates(image, kernel, inputMasks, (part, k) => convolve(part, k, where));
        return this.bias === null ? out : tf.add(out, this.bias.read());
      });
      const shape = [...(projected[0]?.shape.slice(0, 3) ?? []), this.filters];
      const stateMasks = this.draw("recurrent", stateRate, shape, step);
      const around = geometry({ kernelSize: this.given["kernelSize"], padding: "same" }, 2);
      const gate = (z: Tensor): Tensor => this.recurrentActivation.apply(z);
      const start = [tf.zeros(shape), tf.zeros(shape)];
      return walk(projected, start, (now, [h, c]) => {
        if (h === undefined || c === undefined) throw new Error("no states");
        const inner = this.gates(h, recurrent, stateMasks, (part, k) => convolve(part, k, around));
        const [i, f, candidate, o] = tf.split(tf.add(now, inner), GATES, 3) as [Tensor, Tensor, Tensor, Tensor];
        const carry = tf.add(tf.mul(gate(f), c), tf.mul(gate(i), this.activation.apply(candidate)));
        const out = tf.mul(gate(o), this.activation.apply(carry));
        return [out, out, carry];
      }, maskOf(x), {
        goBackwards: this.option("goBackwards", false),
        returnSequences: this.returnSequences,
        zeroOutputForMask: this.option("zeroOutputForMask", false),
      });
    }
  }
  return [PotluckConvLSTM2D];
}
