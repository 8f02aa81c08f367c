/** Subtract, extremes of tensors of several shapes, and Dot over any axes. */

import type { Tensor } from "@tensorflow/tfjs-core";
import { makeContract } from "./einsum";
import { fromStart, type Kit, type LayerClass, list, type Shape } from "./kit";
import { eitherMask } from "./masks";

/** Keras's backend epsilon. */
const EPSILON = 1e-7;

export function mergingLayers({ tf, Own }: Kit): LayerClass[] {
  const contract = makeContract(tf);

  /** Align shapes as Keras does: axes of length 1 go in behind the batch axis of the shorter ones. */
  const aligned = <T extends number | null>(shapes: readonly T[][]): (T | 1)[][] => {
    const rank = Math.max(...shapes.map((shape) => shape.length));
    return shapes.map(([batch, ...rest]) => [batch as T, ...Array<1>(rank - rest.length - 1).fill(1), ...rest]);
  };
  const stretched = <T extends number | null>(shapes: readonly T[][]): T[] =>
    shapes.reduce((a, b) => a.map((length, i) => (length === 1 ? (b[i] ?? length) : length)));

  /** What works element by element; lengths of one stretch. */
  abstract class Elementwise extends Own {
    protected abstract pair(a: Tensor, b: Tensor): Tensor;

    override run(inputs: Tensor[]): Tensor {
      const shapes = aligned(inputs.map((x) => x.shape));
      const shape = stretched(shapes);
      // Written out in full: TF.js's gradients of extremes forget that an input was stretched.
      return inputs
        .map((x, i) => tf.broadcastTo(tf.reshape(x, shapes[i] ?? x.shape), shape))
        .reduce((a, b) => this.pair(a, b));
    }

    override computeOutputShape(inputShape: Shape | Shape[]): Shape {
      return stretched(aligned(inputShape as Shape[]));
    }

    override computeMask(_inputs: Tensor | Tensor[], mask?: Tensor | Tensor[]): Tensor {
      return eitherMask(tf, mask === undefined || mask === null ? [] : list(mask)) as Tensor;
    }
  }

  class PotluckSubtract extends Elementwise {
    static readonly className = "PotluckSubtract";

    protected override pair(a: Tensor, b: Tensor): Tensor {
      return tf.sub(a, b);
    }
  }

  class PotluckMaximum extends Elementwise {
    static readonly className = "PotluckMaximum";

    protected override pair(a: Tensor, b: Tensor): Tensor {
      return tf.maximum(a, b);
    }
  }

  class PotluckMinimum extends Elementwise {
    static readonly className = "PotluckMinimum";

    protected override pair(a: Tensor, b: Tensor): Tensor {
      return tf.minimum(a, b);
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

  return [PotluckSubtract, PotluckMaximum, PotluckMinimum, PotluckDot];
}
