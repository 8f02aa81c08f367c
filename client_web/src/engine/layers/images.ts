/** UpSampling2D, Resizing, CenterCrop and Rescaling as Keras has them on images [batch, height, width, channels]. */

import type { Tensor } from "@tensorflow/tfjs-core";
import { makeResize } from "./interpolation";
import { type Kit, type LayerClass, only, type Shape, sizes } from "./kit";

export function imageLayers({ tf, Own, axes }: Kit): LayerClass[] {
  const resize = makeResize(tf);

  class PotluckUpSampling2D extends Own {
    static readonly className = "PotluckUpSampling2D";
    private readonly times = sizes(this.given["size"], 2, 2);

    override computeOutputShape(inputShape: Shape | Shape[]): Shape {
      const [batch = null, height = null, width = null, channels = null] = inputShape as Shape;
      const [down = 1, across = 1] = this.times;
      return [batch, height === null ? null : height * down, width === null ? null : width * across, channels];
    }

    override run(inputs: Tensor[]): Tensor {
      const x = only(inputs);
      const [down = 1, across = 1] = this.times;
      const way = this.option("interpolation", "nearest");
      if (way === "nearest") return axes.repeat(axes.repeat(x, 1, down), 2, across);
      return resize(x, [(x.shape[1] ?? 1) * down, (x.shape[2] ?? 1) * across], way);
    }
  }

  abstract class Sized extends Own {
    protected readonly size: [number, number] = [this.option("height", 1), this.option("width", 1)];

    override computeOutputShape(inputShape: Shape | Shape[]): Shape {
      const shape = inputShape as Shape;
      return [shape[0] ?? null, ...this.size, shape[3] ?? null];
    }

    /** Cut the largest middle part of the wanted proportions out of an image. */
    protected cropped(x: Tensor): Tensor {
      const [height, width] = this.size;
      const [rows, columns] = [x.shape[1] ?? 1, x.shape[2] ?? 1];
      const tall = Math.max(1, Math.min(rows, Math.floor((columns * height) / width)));
      const wide = Math.max(1, Math.min(columns, Math.floor((rows * width) / height)));
      const middle = axes.cut(x, 1, Math.floor((rows - tall) / 2), tall);
      return axes.cut(middle, 2, Math.floor((columns - wide) / 2), wide);
    }
  }

  class PotluckResizing extends Sized {
    static readonly className = "PotluckResizing";

    override run(inputs: Tensor[]): Tensor {
      let x = only(inputs);
      if (this.option("cropToAspectRatio", false)) x = this.cropped(x);
      else if (this.option("padToAspectRatio", false)) x = this.padded(x);
      return resize(x, this.size, this.option("interpolation", "bilinear"), this.option("antialias", false));
    }

    private padded(x: Tensor): Tensor {
      const [height, width] = this.size;
      const [rows, columns] = [x.shape[1] ?? 1, x.shape[2] ?? 1];
      const fill = this.option("fillValue", 0);
      // Keras pads both sides by the rounded-down half, and across only where it does not pad down.
      const down = Math.floor((Math.max(rows, Math.floor((columns * height) / width)) - rows) / 2);
      if (down > 0) return axes.pad(x, 1, [down, down], fill);
      const across = Math.floor((Math.max(columns, Math.floor((rows * width) / height)) - columns) / 2);
      return axes.pad(x, 2, [across, across], fill);
    }
  }

  class PotluckCenterCrop extends Sized {
    static readonly className = "PotluckCenterCrop";

    override run(inputs: Tensor[]): Tensor {
      const x = only(inputs);
      const [height, width] = this.size;
      const [rows, columns] = [x.shape[1] ?? 1, x.shape[2] ?? 1];
      if (rows < height || columns < width) return resize(this.cropped(x), this.size, "bilinear");
      const middle = axes.cut(x, 1, Math.floor((rows - height) / 2), height);
      return axes.cut(middle, 2, Math.floor((columns - width) / 2), width);
    }
  }

  class PotluckRescaling extends Own {
    static readonly className = "PotluckRescaling";
    protected override readonly handsMaskOn = true;

    override run(inputs: Tensor[]): Tensor {
      const x = tf.cast(only(inputs), "float32");
      const part = (name: string, fallback: number): Tensor => tf.tensor(this.option<number | number[]>(name, fallback));
      return tf.add(tf.mul(x, part("scale", 1)), part("offset", 0));
    }
  }

  return [PotluckUpSampling2D, PotluckResizing, PotluckCenterCrop, PotluckRescaling];
}
