/** What this engine trains rightly. Anything else is handed back, never trained approximately. */

import { OWN_LAYERS } from "../own_layers";

const CONTAINERS = new Set(["Sequential", "Functional", "Model"]);

/** TF.js's own layers that are right here, with the kernels mended. For all others there is one of ours. */
const STOCK = new Set([
  "Activation",
  "Add",
  "Average",
  "AveragePooling1D",
  "AveragePooling2D",
  "AveragePooling3D",
  "BatchNormalization",
  "Bidirectional",
  "Concatenate",
  "Conv1D",
  "Conv2D",
  "Conv2DTranspose",
  "ConvLSTM2D",
  "Cropping2D",
  "Dense",
  "DepthwiseConv2D",
  "Dropout",
  "ELU",
  "Embedding",
  "Flatten",
  "GRU",
  "GRUCell",
  "GlobalAveragePooling1D",
  "GlobalAveragePooling2D",
  "GlobalMaxPooling1D",
  "GlobalMaxPooling2D",
  "InputLayer",
  "LSTM",
  "LSTMCell",
  "LayerNormalization",
  "LeakyReLU",
  "Masking",
  "MaxPooling1D",
  "MaxPooling2D",
  "Maximum",
  "Minimum",
  "Multiply",
  "PReLU",
  "Permute",
  "RNN",
  "ReLU",
  "RepeatVector",
  "Rescaling",
  "Reshape",
  "SeparableConv2D",
  "SimpleRNN",
  "SimpleRNNCell",
  "Softmax",
  "StackedRNNCells",
  "TimeDistributed",
  "ZeroPadding2D",
]);

type Json = Readonly<Record<string, unknown>>;

export interface Topology {
  readonly class_name: string;
  readonly config: Json;
}

/** The unit asks for something that would be trained wrongly here. */
export class Unsupported extends Error {}

function numbers(value: unknown): number[] {
  return (Array.isArray(value) ? value : [value]).map(Number).filter(Number.isFinite);
}

/** Name what TF.js 4.22 gets wrong about the options of a layer of its own, or null. */
function wrongOption(config: Json): string | null {
  if (numbers(config["dilation_rate"]).some((rate) => rate > 1)) return "dilated convolution";
  if (Number(config["groups"] ?? 1) > 1) return "grouped convolution";
  if (config["padding"] === "causal") return "causal convolution";
  if (config["reset_after"] === true) return "reset_after";
  if (config["stateful"] === true) return "a state that outlives its batch";
  for (const key of ["dropout", "recurrent_dropout"]) {
    // Inside recurrent layers TF.js draws masks that cannot be repeated.
    if (Number(config[key] ?? 0) > 0) return key;
  }
  return null;
}

/** Say whether windows padded "same" reach beyond an input of these sizes. */
function overhangs(sizes: readonly number[], pools: readonly number[], strides: readonly number[]): boolean {
  return sizes.some((size, i) => {
    const pool = pools[i] ?? 1;
    const stride = strides[i] ?? pool;
    return (Math.ceil(size / stride) - 1) * stride + pool > size;
  });
}

/** Check what only an opened layer knows; `inputShape` is [batch, ...sizes, channels]. */
export function checkOpened(className: string, config: Json, inputShape: readonly (number | null)[]): void {
  if (!className.startsWith("AveragePooling") || config["padding"] !== "same") return;
  const pools = numbers(config["poolSize"]);
  const strides = config["strides"] ? numbers(config["strides"]) : pools;
  if (overhangs(inputShape.slice(1, -1).map(Number), pools, strides)) {
    // TF.js divides the gradient by the whole window at the border.
    const who = `Layer ${String(config["name"])} (${className})`;
    throw new Unsupported(`${who}: average pooling over a padded border is not trained rightly here.`);
  }
}

function isTopology(value: unknown): value is Topology {
  if (typeof value !== "object" || value === null) return false;
  const { class_name: name, config } = value as Partial<Topology>;
  return typeof name === "string" && typeof config === "object" && config !== null;
}

/** Give the layers inside a container, a wrapper or a recurrent layer. */
function layersOf(config: Json): unknown[] {
  const { layers, layer, backward_layer: backward, cell, cells } = config;
  return [layers, layer, backward, cell, cells].flat().filter((inner) => inner !== null && inner !== undefined);
}

/** Check a topology; raises Unsupported with the layer's name, class and reason. */
export function checkTopology(value: unknown): Topology {
  if (!isTopology(value)) throw new Unsupported("The topology is not TF.js layers JSON.");
  const { class_name: name, config } = value;
  layersOf(config).forEach(checkTopology);
  if (CONTAINERS.has(name) || OWN_LAYERS.has(name)) return value;
  const who = `Layer ${String(config["name"] ?? "")} (${name})`;
  if (!STOCK.has(name)) throw new Unsupported(`${who} is not one this tab trains.`);
  const wrong = wrongOption(config);
  if (wrong !== null) throw new Unsupported(`${who}: ${wrong} is not trained rightly here.`);
  return value;
}

/** Replace initializers by zeros: weights come from the checkpoint, and drawing them takes time. */
export function withoutInitializers(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutInitializers);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) =>
      key.endsWith("_initializer") && inner !== null
        ? [key, { class_name: "Zeros", config: {} }]
        : [key, withoutInitializers(inner)],
    ),
  );
}
