/** What a stack computes: a network's layers in their order, and what differs from unit to unit. */

import { backend_util } from "@tensorflow/tfjs-core";
import type { Network } from "../network";
import { type Activation, activationNamed, elu, leakyRelu } from "./activations";

/** These units cannot train together; each trains rightly alone. */
export class CannotStack extends Error {}

export interface Window {
  readonly inHeight: number;
  readonly inWidth: number;
  readonly channels: number;
  readonly outHeight: number;
  readonly outWidth: number;
  readonly height: number;
  readonly width: number;
  readonly rowStride: number;
  readonly columnStride: number;
  readonly top: number;
  readonly left: number;
}

export interface Dense {
  readonly kind: "dense";
  readonly kernel: string;
  readonly bias: string | null;
  /** Places of a row that share the kernel: 1, or more where a layer's input has more axes. */
  readonly places: number;
  readonly inputs: number;
  readonly outputs: number;
}

export interface Convolution {
  readonly kind: "convolution";
  readonly kernel: string;
  readonly bias: string | null;
  readonly window: Window;
  readonly outputs: number;
}

export interface Pool {
  readonly kind: "pool";
  readonly most: boolean;
  readonly window: Window;
}

export interface Normalization {
  readonly kind: "normalization";
  readonly gamma: string | null;
  readonly beta: string | null;
  readonly mean: string;
  readonly variance: string;
  readonly channels: number;
  readonly momentum: number;
  readonly epsilon: number;
  /** Frozen: normalised by its moving statistics in training too. */
  readonly fixed: boolean;
}

export type Step =
  | Dense
  | Convolution
  | Pool
  | Normalization
  | { readonly kind: "activation"; readonly activation: Activation }
  | { readonly kind: "softmax"; readonly classes: number }
  | { readonly kind: "dropout"; readonly layer: string; readonly rates: readonly number[] }
  | { readonly kind: "affine"; readonly scale: number; readonly offset: number };

export interface Penalty {
  readonly weight: string;
  readonly l1: readonly number[];
  readonly l2: readonly number[];
}

export interface Plan {
  readonly steps: readonly Step[];
  /** Numbers of a row after each step; the first is the input's. */
  readonly sizes: readonly number[];
  readonly penalties: readonly Penalty[];
}

/** Classes of layers that a stack may have; the coordinator's `core/stacking.py` groups units by the same. */
const STACKABLE = new Set([
  "Activation",
  "AveragePooling1D",
  "AveragePooling2D",
  "BatchNormalization",
  "Conv1D",
  "Conv2D",
  "Dense",
  "Dropout",
  "ELU",
  "Flatten",
  "GlobalAveragePooling1D",
  "GlobalAveragePooling2D",
  "GlobalMaxPooling1D",
  "GlobalMaxPooling2D",
  "InputLayer",
  "LeakyReLU",
  "MaxPooling1D",
  "MaxPooling2D",
  "ReLU",
  "Rescaling",
  "Reshape",
  "Softmax",
]);

type Config = Readonly<Record<string, unknown>>;
interface Described {
  readonly class_name: string;
  readonly config: Config;
  readonly inbound_nodes?: readonly (readonly (readonly unknown[])[])[];
}

/** Numbers that a stack's units may differ in. */
const MAY_DIFFER = new Set(["rate", "l1", "l2"]);

function blanked(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(blanked);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, MAY_DIFFER.has(key) && typeof inner === "number" ? 0 : blanked(inner)]),
  );
}

function parsed(topology: ArrayBuffer): Described {
  return JSON.parse(new TextDecoder().decode(topology)) as Described;
}

/** Say whether a stack may know the layers at all: nothing has to be opened for this. */
export function mayStack(topology: ArrayBuffer): boolean {
  try {
    const listed = parsed(topology).config["layers"] as readonly Described[];
    return listed.every(({ class_name: name }) => STACKABLE.has(name));
  } catch {
    return false; // Opening it says what is wrong.
  }
}

/** Give the layers in their order; raises where one's input is not the one's before it. */
function chain(topology: Described): readonly Described[] {
  const listed = topology.config["layers"] as readonly Described[];
  if (topology.class_name === "Sequential") return listed;
  listed.forEach(({ inbound_nodes: nodes = [] }, index) => {
    if (index === 0 && nodes.length === 0) return;
    const before = listed[index - 1]?.config["name"];
    const calls = nodes[0] ?? [];
    if (nodes.length !== 1 || calls.length !== 1 || calls[0]?.[0] !== before) {
      throw new CannotStack("the network is no single path");
    }
  });
  const [last] = topology.config["output_layers"] as readonly (readonly unknown[])[];
  if (last?.[0] !== listed.at(-1)?.config["name"]) throw new CannotStack("the network's output is not its last layer's");
  return listed;
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, axis) => product * axis, 1);
}

/** [rows, columns] of a number, a pair, or the one number of a 1-D layer. */
function pair(value: unknown, oneAxis: boolean): [number, number] {
  const [first, second] = [value].flat().map(Number);
  if (first === undefined) throw new CannotStack("a window has no size");
  return oneAxis ? [1, first] : [first, second ?? first];
}

class Reader {
  readonly steps: Step[] = [];
  readonly sizes: number[] = [];
  readonly penalties: Penalty[] = [];
  private readonly network: Network;

  constructor(network: Network) {
    this.network = network;
  }

  /** Read a layer as each unit has it; `shape` and `made` are its input and output without rows. */
  layer(units: readonly Described[], shape: readonly number[], made: readonly number[]): void {
    const [{ class_name: name, config } = { class_name: "", config: {} as Config }] = units;
    for (const [key, value] of Object.entries(config)) {
      if ((key.endsWith("_constraint") || key === "activity_regularizer") && value) throw new CannotStack(key);
      if (key === "data_format" && value === "channels_first") throw new CannotStack(key);
      if (key === "noise_shape" && value) throw new CannotStack(key);
    }
    this.regularizers(units.map((unit) => unit.config));
    const put = (step: Step | null): void => {
      if (step === null) return;
      this.steps.push(step);
      this.sizes.push(sizeOf(made));
    };
    const oneAxis = name.endsWith("1D");
    const layer = String(config["name"]);
    switch (name) {
      case "InputLayer":
      case "Flatten":
      case "Reshape":
        return;
      case "Dense": {
        const places = sizeOf(shape.slice(0, -1));
        put({ kind: "dense", ...this.kernel(config), places, inputs: shape.at(-1) ?? 0, outputs: made.at(-1) ?? 0 });
        return put(this.activation(String(config["activation"]), made));
      }
      case "Conv1D":
      case "Conv2D": {
        const window = windowOf(config, shape, oneAxis, "kernel_size");
        put({ kind: "convolution", ...this.kernel(config), window, outputs: made.at(-1) ?? 0 });
        return put(this.activation(String(config["activation"]), made));
      }
      case "MaxPooling1D":
      case "MaxPooling2D":
      case "AveragePooling1D":
      case "AveragePooling2D":
        return put({ kind: "pool", most: name.startsWith("Max"), window: windowOf(config, shape, oneAxis, "pool_size") });
      case "GlobalAveragePooling1D":
      case "GlobalAveragePooling2D":
      case "GlobalMaxPooling1D":
      case "GlobalMaxPooling2D": {
        const size = shape.slice(0, -1);
        const window = windowOf({ pool_size: size, strides: size, padding: "valid" }, shape, oneAxis, "pool_size");
        return put({ kind: "pool", most: name.startsWith("GlobalMax"), window });
      }
      case "Activation":
        return put(this.activation(String(config["activation"]), made));
      case "ReLU":
        if (![null, undefined, 6].includes(config["max_value"] as number)) throw new CannotStack("ReLU with a limit");
        return put(this.activation(config["max_value"] === 6 ? "relu6" : "relu", made));
      case "LeakyReLU":
        return put({ kind: "activation", activation: leakyRelu(Number(config["alpha"] ?? 0.3)) });
      case "ELU":
        return put({ kind: "activation", activation: elu(Number(config["alpha"] ?? 1)) });
      case "Softmax":
        if (config["axis"] !== -1 && config["axis"] !== made.length) throw new CannotStack("softmax of another axis");
        return put(this.activation("softmax", made));
      case "Dropout":
        return put({ kind: "dropout", layer, rates: units.map((unit) => Number(unit.config["rate"])) });
      case "Rescaling":
        return put({ kind: "affine", scale: Number(config["scale"]), offset: Number(config["offset"] ?? 0) });
      case "BatchNormalization":
        return put(this.normalization(config, shape));
      default:
        throw new CannotStack(`layer ${layer} is ${name}`);
    }
  }

  private kernel(config: Config): { kernel: string; bias: string | null } {
    const layer = String(config["name"]);
    const dilated = [config["dilation_rate"]].flat().some((rate) => Number(rate ?? 1) !== 1);
    if (dilated || Number(config["groups"] ?? 1) !== 1) throw new CannotStack(`layer ${layer} has gaps or groups`);
    return { kernel: `${layer}/kernel`, bias: config["use_bias"] === false ? null : `${layer}/bias` };
  }

  private activation(name: string, shape: readonly number[]): Step | null {
    if (name === "linear") return null;
    if (name === "softmax") return { kind: "softmax", classes: shape.at(-1) ?? 1 };
    const activation = activationNamed(name);
    if (activation === null) throw new CannotStack(`activation ${name}`);
    return { kind: "activation", activation };
  }

  private normalization(config: Config, shape: readonly number[]): Normalization {
    const layer = String(config["name"]);
    const axis = Number([config["axis"] ?? -1].flat()[0]);
    if (axis !== -1 && axis !== shape.length) throw new CannotStack(`layer ${layer} normalises another axis`);
    const weight = (name: string): string | null => (this.network.weights.has(`${layer}/${name}`) ? `${layer}/${name}` : null);
    return {
      kind: "normalization",
      gamma: weight("gamma"),
      beta: weight("beta"),
      mean: `${layer}/moving_mean`,
      variance: `${layer}/moving_variance`,
      channels: shape.at(-1) ?? 1,
      momentum: Number(config["momentum"] ?? 0.99),
      epsilon: Number(config["epsilon"] ?? 1e-3),
      fixed: config["trainable"] === false,
    };
  }

  private regularizers(units: readonly Config[]): void {
    const [first = {}] = units;
    for (const [key, value] of Object.entries(first)) {
      if (!key.endsWith("_regularizer") || !value) continue;
      const weight = `${String(first["name"])}/${key.replace("_regularizer", "")}`;
      const each = units.map((config) => config[key] as Described);
      if (each.some((one) => !["L1L2", "L1", "L2"].includes(one.class_name))) throw new CannotStack(key);
      const number = (name: string): number[] => each.map((one) => Number(one.config[name] ?? 0));
      if (this.network.trainable.has(weight)) this.penalties.push({ weight, l1: number("l1"), l2: number("l2") });
    }
  }
}

function windowOf(config: Config, shape: readonly number[], oneAxis: boolean, sizeName: string): Window {
  const [height = 1, width = 1, channels = 1] = oneAxis ? [1, ...shape] : shape;
  const size = pair(config[sizeName], oneAxis);
  const strides = pair(config["strides"] ?? config[sizeName], oneAxis);
  const pad = config["padding"] as "same" | "valid";
  if (pad !== "same" && pad !== "valid") throw new CannotStack(`padding ${String(pad)}`);
  const info = backend_util.computeConv2DInfo([1, height, width, channels], [...size, channels, 1], strides, 1, pad);
  return {
    inHeight: height,
    inWidth: width,
    channels,
    outHeight: info.outHeight,
    outWidth: info.outWidth,
    height: size[0],
    width: size[1],
    rowStride: strides[0],
    columnStride: strides[1],
    top: info.padInfo.top,
    left: info.padInfo.left,
  };
}

/** Read what units compute together; raises CannotStack. `network` is the first one's, opened. */
export function planOf(network: Network, topologies: readonly ArrayBuffer[]): Plan {
  const each = topologies.map(parsed);
  const [first] = each;
  if (first === undefined) throw new CannotStack("there is no unit");
  const same = JSON.stringify(blanked(first));
  if (each.some((one) => JSON.stringify(blanked(one)) !== same)) throw new CannotStack("the networks differ");
  const chains = each.map(chain);
  const reader = new Reader(network);
  let shape = network.model.inputs[0]?.shape.slice(1).map(Number) ?? [];
  reader.sizes.push(sizeOf(shape));
  chains[0]?.forEach((layer, index) => {
    const opened = network.model.getLayer(String(layer.config["name"]));
    const made = (opened.outputShape as (number | null)[]).slice(1).map(Number);
    if (made.some((axis) => !(axis > 0))) throw new CannotStack("a shape is not known");
    reader.layer(chains.map((one) => one[index] ?? layer), shape, made);
    shape = made;
  });
  if (shape.length !== 1) throw new CannotStack("an output is no single row of numbers");
  const { steps, sizes, penalties } = reader;
  return { steps, sizes, penalties };
}
