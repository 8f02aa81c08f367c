/** Zeros around, margins off, and places repeated, over one or three axes. */

import type { Tensor } from "@tensorflow/tfjs-core";
import { type Kit, type LayerClass, only, type Shape, sizes } from "./kit";

/** Read [left, right] for each axis; a number, or a pair of numbers for one axis, counts on both sides. */
function margins(value: unknown, rank: number): [number, number][] {
  const pairs = rank === 1 && Array.isArray(value) && !Array.isArray(value[0]) ? [value] : value;
  const each = Array.isArray(pairs) ? pairs : Array(rank).fill(pairs ?? 1);
  return each.map((sides: number | [number, number]) =>
    Array.isArray(sides) ? [Number(sides[0]), Number(sides[1])] : [Number(sides), Number(sides)],
  );
}

export function marginLayers({ Own, axes }: Kit): LayerClass[] {
  abstract class PerAxis extends Own {
    /** Give the new length of an axis. */
    protected abstract lengthAfter(length: number, axis: number): number;
    protected abstract onAxis(x: Tensor, axis: number): Tensor;

    override computeOutputShape(inputShape: Shape | Shape[]): Shape {
      const shape = inputShape as Shape;
      return shape.map((length, i) => {
        const between = i > 0 && i < shape.length - 1;
        return between && length !== null ? this.lengthAfter(length, i - 1) : length;
      });
    }

    override run(inputs: Tensor[]): Tensor {
      const x = only(inputs);
      return x.shape.slice(1, -1).reduce((out: Tensor, _, axis) => this.onAxis(out, axis), x);
    }
  }

  return [1, 2, 3].flatMap((rank) => {
    class ZeroPadding extends PerAxis {
      static readonly className = `PotluckZeroPadding${rank}D`;
      private readonly sides = margins(this.given["padding"], rank);

      protected override lengthAfter(length: number, axis: number): number {
        const [before, after] = this.sides[axis] ?? [0, 0];
        return length + before + after;
      }
      protected override onAxis(x: Tensor, axis: number): Tensor {
        return axes.pad(x, axis + 1, this.sides[axis] ?? [0, 0]);
      }
    }

    class Cropping extends PerAxis {
      static readonly className = `PotluckCropping${rank}D`;
      private readonly sides = margins(this.given["cropping"], rank);

      protected override lengthAfter(length: number, axis: number): number {
        const [before, after] = this.sides[axis] ?? [0, 0];
        return length - before - after;
      }
      protected override onAxis(x: Tensor, axis: number): Tensor {
        const [before] = this.sides[axis] ?? [0, 0];
        return axes.cut(x, axis + 1, before, this.lengthAfter(x.shape[axis + 1] ?? 0, axis));
      }
    }

    class UpSampling extends PerAxis {
      static readonly className = `PotluckUpSampling${rank}D`;
      private readonly times = sizes(this.given["size"], rank, 2);

      protected override lengthAfter(length: number, axis: number): number {
        return length * (this.times[axis] ?? 1);
      }
      protected override onAxis(x: Tensor, axis: number): Tensor {
        return axes.repeat(x, axis + 1, this.times[axis] ?? 1);
      }
    }

    // Over two axes TF.js has the first two, and images.ts the third, with more ways to interpolate.
    return rank === 2 ? [] : ([ZeroPadding, Cropping, UpSampling] as LayerClass[]);
  });
}
