/** Images changed by chance while training; the identity otherwise. */

import type { Tensor } from "@tensorflow/tfjs-core";
import { type Kit, type LayerClass, only, type Options } from "./kit";
import { uniforms } from "./noise";
import { type Affine, sample } from "./sampling";

type Range = readonly [number, number];

export function augmentations({ tf, Own, clock }: Kit): LayerClass[] {
  abstract class Changing extends Own {
    override run(inputs: Tensor[], { training }: Options): Tensor {
      const x = only(inputs);
      return training ? this.change(x, clock.step(this.name)) : x;
    }

    protected abstract change(x: Tensor, step: number): Tensor;

    /** Draw one number for each image. */
    protected draw(what: string, step: number, count: number, range: Range): Float32Array {
      return uniforms(clock.seed(), `${what}/${this.name}`, step, count, range);
    }

    protected range(name: string, fallback: Range): Range {
      return this.option<Range>(name, fallback);
    }
  }

  abstract class Moving extends Changing {
    protected abstract map(step: number, images: number, height: number, width: number): Affine[];

    protected override change(x: Tensor, step: number): Tensor {
      const [batch = 1, height = 1, width = 1, channels = 1] = x.shape;
      const maps = this.map(step, batch, height, width);
      const mode = this.option("fillMode", "reflect");
      const { rows, weights, filled } = sample(maps, [height, width], this.option("interpolation", "bilinear"), mode);
      const pixels = batch * height * width;
      const flat = tf.reshape(x, [pixels, channels]);
      const near = rows.length / pixels;
      const corners = Array.from({ length: near }, (_, corner) => {
        const part = [corner * pixels, (corner + 1) * pixels] as const;
        const taken = tf.gather(flat, tf.tensor1d(rows.subarray(...part), "int32"));
        return tf.mul(taken, tf.tensor2d(weights.subarray(...part), [pixels, 1]));
      });
      const fill = tf.mul(this.option("fillValue", 0), tf.tensor2d(filled, [pixels, 1]));
      const sum = corners.reduce<Tensor>((all, corner) => tf.add(all, corner), fill);
      return tf.reshape(sum, x.shape);
    }
  }

  class PotluckRandomRotation extends Moving {
    static readonly className = "PotluckRandomRotation";

    protected override map(step: number, images: number, height: number, width: number): Affine[] {
      const [low, high] = this.range("factor", [0, 0]);
      const angles = this.draw("rotation", step, images, [low * 2 * Math.PI, high * 2 * Math.PI]);
      const [cx, cy] = [(width - 1) / 2, (height - 1) / 2];
      return Array.from(angles, (angle) => {
        const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
        return [cos, -sin, cx - cx * cos + cy * sin, sin, cos, cy - cx * sin - cy * cos];
      });
    }
  }

  class PotluckRandomZoom extends Moving {
    static readonly className = "PotluckRandomZoom";

    protected override map(step: number, images: number, height: number, width: number): Affine[] {
      const tall = this.draw("zoom_height", step, images, this.range("heightFactor", [0, 0]));
      const asked = this.given["widthFactor"] as Range | null | undefined;
      const wide = asked ? this.draw("zoom_width", step, images, asked) : tall;
      return Array.from(tall, (value, i) => {
        const [zy, zx] = [1 + value, 1 + (wide[i] ?? 0)];
        return [zx, 0, ((width - 1) / 2) * (1 - zx), 0, zy, ((height - 1) / 2) * (1 - zy)];
      });
    }
  }

  class PotluckRandomTranslation extends Moving {
    static readonly className = "PotluckRandomTranslation";

    protected override map(step: number, images: number, height: number, width: number): Affine[] {
      const down = this.draw("translation_height", step, images, this.range("heightFactor", [0, 0]));
      const across = this.draw("translation_width", step, images, this.range("widthFactor", [0, 0]));
      return Array.from(down, (value, i) => [1, 0, -(across[i] ?? 0) * width, 0, 1, -value * height]);
    }
  }

  class PotluckRandomFlip extends Changing {
    static readonly className = "PotluckRandomFlip";

    protected override change(x: Tensor, step: number): Tensor {
      const images = x.shape[0] ?? 1;
      const drawn = this.draw("flip", step, images, [0, 1]).map((value) => (value <= 0.5 ? 1 : 0));
      const flips = tf.tensor(drawn, [images, 1, 1, 1]);
      const mode = this.option("mode", "horizontalAndVertical").toLowerCase();
      const axes = [mode.includes("vertical") ? 1 : null, mode.includes("horizontal") ? 2 : null];
      const turned = tf.reverse(x, axes.filter((axis) => axis !== null));
      return tf.add(tf.mul(turned, flips), tf.mul(x, tf.sub(1, flips)));
    }
  }

  class PotluckRandomContrast extends Changing {
    static readonly className = "PotluckRandomContrast";

    protected override change(x: Tensor, step: number): Tensor {
      const images = x.shape[0] ?? 1;
      const [low, high] = this.range("factor", [0, 0]);
      const drawn = this.draw("contrast", step, images, [1 - low, 1 + high]);
      const mean = tf.mean(x, [1, 2], true);
      const out = tf.add(tf.mul(tf.sub(x, mean), tf.tensor(drawn, [images, 1, 1, 1])), mean);
      const [least, most] = this.range("valueRange", [0, 255]);
      return tf.minimum(tf.maximum(out, least), most);
    }
  }

  class PotluckRandomBrightness extends Changing {
    static readonly className = "PotluckRandomBrightness";

    protected override change(x: Tensor, step: number): Tensor {
      const images = x.shape[0] ?? 1;
      const [least, most] = this.range("valueRange", [0, 255]);
      const drawn = this.draw("brightness", step, images, this.range("factor", [0, 0]));
      const delta = tf.tensor(drawn.map((value) => value * (most - least)), [images, 1, 1, 1]);
      return tf.minimum(tf.maximum(tf.add(x, delta), least), most);
    }
  }

  return [
    PotluckRandomRotation,
    PotluckRandomZoom,
    PotluckRandomTranslation,
    PotluckRandomFlip,
    PotluckRandomContrast,
    PotluckRandomBrightness,
  ];
}
