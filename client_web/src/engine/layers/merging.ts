/** Subtract, and Dot over any axes. */

import type { Tensor } from "@tensorflow/tfjs-core";
import { makeContract } from "./einsum";
import { fromStart, type Kit, type LayerClass, list, type Shape } from "./kit";
import { eitherMask } from "./masks";

/** Keras's backend epsilon. */
const EPSILON = 1e-7;

export function mergingLayers({ tf, Own }: Kit): LayerClass[] {
  const contract = makeContract(tf);

  class PotluckSubtract extends Own {
    static readonly className = "PotluckSubtract";

    override run(inputs: Tensor[]): Tensor {
      const [a, b] = inputs;
      if (a === undefined || b === undefined || inputs.length !== 2) throw new Error("two inputs expected");
      // As Keras aligns them: axes of length 1 go in behind the batch axis of the shorter one.
      const rank = Math.max(a.rank, b.rank);
      const aligned = [a, b].map((x) => {
        const [batch = 1, ...rest] = x.shape;
        return tf.reshape(x, [batch, ...Array<number>(rank - x.rank).fill(1), ...rest]);
      });
      return tf.sub(aligned[0] ?? a, aligned[1] ?? b);
    }

    override computeOutputShape(inputShape: Shape | Shape[]): Shape {
      const [a = [], b = []] = inputShape as Shape[];
      const rank = Math.max(a.length, b.length);
      const fill = ([batch = null, ...rest]: Shape): Shape => [
        batch, ...Array<number>(rank - rest.length - 1).fill(1), ...rest,
      ];
      const other = fill(b);
      return fill(a).map((length, i) => (length === 1 ? (other[i] ?? null) : length));
    }

    override computeMask(_inputs: Tensor | Tensor[], mask?: Tensor | Tensor[]): Tensor {
      return eitherMask(tf, mask === undefined || mask === null ? [] : list(mask)) as Tensor;
    }
  }

  class PotluckDot extends Own {
    static readonly className = "PotluckDot";

    private axes(ranks: readonly [number, number]): [number, number] {
      const asked = this.given["axes"] as number | [number, number];
      const [a, b] = Array.isArray(asked) ? asked : [asked, asked];
      return [fromStart(a, ranks[0]), fromStart(b, ranks[1])];
    }

    override computeOutputShape(inputShape: Shape | Shape[]): Shape {
      const [a = [], b = []] = inputShape as Shape[];
      const [i, j] = this.axes([a.length, b.length]);
      const rest = [...a.filter((_, axis) => axis !== i), ...b.slice(1).filter((_, axis) => axis + 1 !== j)];
      return rest.length === 1 ? [...rest, 1] : rest;
    }

    override run(inputs: Tensor[]): Tensor {
      const [a, b] = inputs;
      if (a === undefined || b === undefined) throw new Error("two inputs expected");
      const [i, j] = this.axes([a.rank, b.rank]);
      const unit = (x: Tensor, axis: number): Tensor => {
        if (!this.option("normalize", false)) return x;
        const squares = tf.sum(tf.square(x), axis, true);
        return tf.mul(x, tf.rsqrt(tf.maximum(squares, EPSILON ** 2)));
      };
      // Letters: z the batch, s what is summed over.
      const left = a.shape.map((_, axis) => (axis === 0 ? "z" : axis === i ? "s" : "abcdefgh"[axis])).join("");
      const right = b.shape.map((_, axis) => (axis === 0 ? "z" : axis === j ? "s" : "ijklmnop"[axis])).join("");
      const out = left.replace("s", "") + right.slice(1).replace("s", "");
      const product = contract({ left, right, out }, unit(a, i), unit(b, j));
      return out.length === 1 ? tf.expandDims(product, 1) : product;
    }
  }

  return [PotluckSubtract, PotluckDot];
}
