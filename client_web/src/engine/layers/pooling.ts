/** Pooling, with right gradients at padded borders and for windows below zero; and over whole axes. */

import type { Tensor } from "@tensorflow/tfjs-core";
import { samePadding, type Window, windows } from "./axes";
import { type Kit, type LayerClass, only, type Options, type Shape, sizes } from "./kit";

/** Smaller than any float32 that a window could hold. */
const LOWEST = -3.4028234663852886e38;

/** Count the places of the input in each window over one axis. */
function counts(length: number, [before]: readonly [number, number], window: Window, out: number): Float32Array {
  return Float32Array.from({ length: out }, (_, i) => {
    const from = i * window.stride - before;
    return Math.min(length, from + window.taps) - Math.max(0, from);
  });
}

export function pooling({ tf, Own, axes, asNumbers }: Kit): LayerClass[] {
  abstract class Windowed extends Own {
    protected abstract readonly rank: number;

    protected plan(): Window[] {
      const taps = sizes(this.given["poolSize"], this.rank, 2);
      const strides = sizes(this.given["strides"] ?? taps, this.rank, 2);
      return taps.map((size, i) => ({ taps: size, stride: strides[i] ?? size, dilation: 1 }));
    }

    protected sides(length: number, window: Window): [number, number] {
      return this.given["padding"] === "same" ? samePadding(length, window) : [0, 0];
    }

    override computeOutputShape(inputShape: Shape | Shape[]): Shape {
      const [batch = null, ...rest] = inputShape as Shape;
      const lengths = this.plan().map((window, i) => {
        const length = rest[i] ?? null;
        if (length === null) return null;
        const [before, after] = this.sides(length, window);
        return windows(length + before + after, window);
      });
      return [batch, ...lengths, rest[rest.length - 1] ?? null];
    }

    override run(inputs: Tensor[]): Tensor {
      const plan = this.plan();
      // From the last axis on: among equals the first in C order counts, as in Keras.
      return plan.reduceRight((x, window, i) => this.alongAxis(x, i + 1, window), only(inputs));
    }

    protected abstract alongAxis(x: Tensor, axis: number, window: Window): Tensor;
  }

  function maximumAlong(x: Tensor, axis: number, window: Window, sides: readonly [number, number]): Tensor {
    const taps = axes.taps(axes.pad(x, axis, sides, LOWEST), axis, window);
    return taps.reduce((largest, tap) => tf.maximum(largest, tap));
  }

  function averageAlong(x: Tensor, axis: number, window: Window, sides: readonly [number, number]): Tensor {
    const taps = axes.taps(axes.pad(x, axis, sides), axis, window);
    const total = taps.reduce((sum, tap) => tf.add(sum, tap));
    const shape = total.shape.map((length, i) => (i === axis ? length : 1));
    const inside = counts(x.shape[axis] ?? 0, sides, window, total.shape[axis] ?? 0);
    return tf.mul(total, tf.tensor(inside.map((count) => 1 / count), shape));
  }

  const ranks = [1, 2, 3];
  const windowed = ranks.flatMap((rank) => [
    class extends Windowed {
      static readonly className = `PotluckMaxPooling${rank}D`;
      protected override readonly rank = rank;
      protected override alongAxis(x: Tensor, axis: number, window: Window): Tensor {
        return maximumAlong(x, axis, window, this.sides(x.shape[axis] ?? 0, window));
      }
    },
    class extends Windowed {
      static readonly className = `PotluckAveragePooling${rank}D`;
      protected override readonly rank = rank;
      protected override alongAxis(x: Tensor, axis: number, window: Window): Tensor {
        return averageAlong(x, axis, window, this.sides(x.shape[axis] ?? 0, window));
      }
    },
  ]);

  abstract class Global extends Own {
    override computeOutputShape(inputShape: Shape | Shape[]): Shape {
      const shape = inputShape as Shape;
      const ends = [shape[0] ?? null, shape[shape.length - 1] ?? null];
      if (!this.option("keepdims", false)) return ends;
      return shape.map((length, i) => (i === 0 || i === shape.length - 1 ? length : 1));
    }

    override run(inputs: Tensor[], { masks }: Options): Tensor {
      const x = only(inputs);
      const [batch = 1, channels = 1] = [x.shape[0], x.shape[x.rank - 1]];
      const [mask] = masks;
      const flat = tf.reshape(x, [batch, -1, channels]);
      const whole = this.over(flat, mask ? tf.reshape(asNumbers(mask), [batch, -1, 1]) : null);
      const kept = x.shape.map((length, i) => (i === 0 || i === x.rank - 1 ? length : 1));
      return tf.reshape(whole, this.option("keepdims", false) ? kept : [batch, channels]);
    }

    /** Reduce [batch, places, channels] over the places. */
    protected abstract over(x: Tensor, held: Tensor | null): Tensor;
  }

  const whole = ranks.flatMap((rank) => [
    class extends Global {
      static readonly className = `PotluckGlobalMaxPooling${rank}D`;
      protected override over(x: Tensor): Tensor {
        return tf.max(x, 1);
      }
    },
    class extends Global {
      static readonly className = `PotluckGlobalAveragePooling${rank}D`;
      protected override over(x: Tensor, held: Tensor | null): Tensor {
        if (held === null || rank !== 1) return tf.mean(x, 1);
        return tf.div(tf.sum(tf.mul(x, held), 1), tf.sum(held, 1));
      }
    },
  ]);

  return [...windowed, ...whole];
}
