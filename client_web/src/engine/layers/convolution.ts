/**
 * Convolutions as one product: the windows laid out, times the kernel. So dilation, groups and any number
 * of axes have right gradients on every backend, which TF.js's own convolutions do not.
 */

import type { Tensor, Tensor4D } from "@tensorflow/tfjs-core";
import type { LayerVariable } from "@tensorflow/tfjs-layers";
import { samePadding, type Window, windows } from "./axes";
import { type Kit, type LayerClass, list, only, type Shape, sizes } from "./kit";

export interface Geometry {
  readonly over: readonly Window[];
  readonly padding: string;
}

/** Read kernel size, strides, dilation and padding of a layer over `rank` axes. */
export function geometry(given: Readonly<Record<string, unknown>>, rank: number): Geometry {
  const taps = sizes(given["kernelSize"], rank, 1);
  const strides = sizes(given["strides"], rank, 1);
  const dilations = sizes(given["dilationRate"], rank, 1);
  const over = taps.map((size, i) => ({ taps: size, stride: strides[i] ?? 1, dilation: dilations[i] ?? 1 }));
  return { over, padding: String(given["padding"] ?? "valid") };
}

/** Give how much each axis is padded. */
export function paddings(lengths: readonly number[], { over, padding }: Geometry): [number, number][] {
  return over.map((window, i) => {
    if (padding === "same") return samePadding(lengths[i] ?? 0, window);
    return padding === "causal" ? [(window.taps - 1) * window.dilation, 0] : [0, 0];
  });
}

/** Give the lengths of the axes afterwards; unknown ones stay unknown. */
export function outputLengths(lengths: Shape, where: Geometry): Shape {
  return where.over.map((window, i) => {
    const length = lengths[i] ?? null;
    if (length === null) return null;
    const [before, after] = paddings([...lengths].map(Number), where)[i] ?? [0, 0];
    return windows(length + before + after, window);
  });
}

export function makeConvolve({ tf, axes }: Pick<Kit, "tf" | "axes">) {
  function product(laid: Tensor, kernel: Tensor, groups: number): Tensor {
    const filters = kernel.shape[kernel.rank - 1] ?? 1;
    const each = kernel.shape[kernel.rank - 2] ?? 1;
    const taps = kernel.size / (each * filters);
    const places = laid.size / (taps * each * groups);
    if (groups === 1) return tf.matMul(tf.reshape(laid, [places, taps * each]), tf.reshape(kernel, [-1, filters]));
    const rows = tf.transpose(tf.reshape(laid, [places, taps, groups, each]), [2, 0, 1, 3]);
    const columns = tf.transpose(tf.reshape(kernel, [taps * each, groups, filters / groups]), [1, 0, 2]);
    const products = tf.matMul(tf.reshape(rows, [groups, places, taps * each]), columns);
    return tf.reshape(tf.transpose(products, [1, 0, 2]), [places, filters]);
  }

  /** Convolve [batch, ...axes, channels] by [...taps, channels / groups, filters]. */
  return function convolve(x: Tensor, kernel: Tensor, where: Geometry, groups = 1): Tensor {
    const lengths = x.shape.slice(1, -1);
    const padded = paddings(lengths, where).reduce((all, sides, i) => axes.pad(all, i + 1, sides), x);
    const plain = groups === 1 && where.over.every((window) => window.dilation === 1);
    if (plain && where.over.length <= 2) return stock(padded, kernel, where);
    if (groups > 1 && canGoByChannel(kernel, where)) return byChannel(padded, kernel, where);
    const shape = where.over.map((window, i) => windows(padded.shape[i + 1] ?? 0, window));
    const flat = product(axes.patches(padded, where.over), kernel, groups);
    return tf.reshape(flat, [x.shape[0] ?? 1, ...shape, kernel.shape[kernel.rank - 1] ?? 1]);
  };

  type Convolution = (x: Tensor4D, kernel: Tensor4D, strides: [number, number]) => Tensor;

  /** Convolve over one axis or two by what knows two. */
  function overTwo(x: Tensor, kernel: Tensor, { over }: Geometry, convolution: Convolution): Tensor {
    const [first = 1, second = first] = over.map((window) => window.stride);
    if (over.length > 1) return convolution(x as Tensor4D, kernel as Tensor4D, [first, second]);
    const [x4, kernel4] = [tf.expandDims(x, 1) as Tensor4D, tf.expandDims(kernel, 0) as Tensor4D];
    // The axis that is added has one place: any stride does.
    return tf.squeeze(convolution(x4, kernel4, [first, first]), [1]);
  }

  /** Where TF.js's convolution is right, it is the faster one. */
  function stock(x: Tensor, kernel: Tensor, where: Geometry): Tensor {
    return overTwo(x, kernel, where, (x4, kernel4, strides) => tf.conv2d(x4, kernel4, strides, "valid"));
  }

  /** Convolve each channel by itself, without laying the windows out. */
  function byChannel(x: Tensor, kernel: Tensor, where: Geometry): Tensor {
    const channels = x.shape[x.rank - 1] ?? 1;
    const depthwise = tf.reshape(kernel, [...kernel.shape.slice(0, -2), channels, -1]);
    return overTwo(x, depthwise, where, (x4, kernel4, strides) => tf.depthwiseConv2d(x4, kernel4, strides, "valid"));
  }
}

/** Say whether a group is one channel and TF.js's depthwise convolution, of even steps without gaps, is right. */
function canGoByChannel(kernel: Tensor, { over }: Geometry): boolean {
  const even = over.every(({ stride, dilation }) => dilation === 1 && stride === over[0]?.stride);
  return even && over.length <= 2 && kernel.shape[kernel.rank - 2] === 1;
}

/** Add a bias to every place: in two axes, since WebGPU adds a row to five wrongly. */
export function makeAddBias({ tf }: Pick<Kit, "tf">) {
  return function addBias(x: Tensor, bias: LayerVariable | null): Tensor {
    if (bias === null) return x;
    const flat = tf.reshape(x, [-1, x.shape[x.rank - 1] ?? 1]);
    return tf.reshape(tf.add(flat, bias.read()), x.shape);
  };
}

export type Convolve = ReturnType<typeof makeConvolve>;

export function convolutions(kit: Kit): LayerClass[] {
  const { Own } = kit;
  const addBias = makeAddBias(kit);
  const convolve = makeConvolve(kit);
  return [1, 2, 3].map((rank) => {
    return class extends Own {
      static readonly className: string = `PotluckConv${rank}D`;
      private kernel: LayerVariable | null = null;
      private bias: LayerVariable | null = null;
      private readonly activation = this.activationOf("activation");

      override build(inputShape: Shape | Shape[]): void {
        const channels = Number((inputShape as Shape)[rank + 1]);
        const filters = this.option("filters", 1);
        const taps = sizes(this.given["kernelSize"], rank, 1);
        const each = channels / this.option("groups", 1);
        this.kernel = this.weight("kernel", [...taps, each, filters], "kernel");
        if (this.option("useBias", true)) this.bias = this.weight("bias", [filters], "bias", "zeros");
        this.built = true;
      }

      override computeOutputShape(inputShape: Shape | Shape[]): Shape {
        const [batch = null, ...rest] = list(inputShape as Shape);
        return [batch, ...outputLengths(rest.slice(0, -1), geometry(this.given, rank)), this.option("filters", 1)];
      }

      override run(inputs: Tensor[]): Tensor {
        if (this.kernel === null) throw new Error("the layer was not built");
        const where = geometry(this.given, rank);
        const out = convolve(only(inputs), this.kernel.read(), where, this.option("groups", 1));
        return this.activation.apply(addBias(out, this.bias));
      }
    };
  });
}
