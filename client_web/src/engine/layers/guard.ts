/** What this engine trains rightly. Anything else is handed back, never trained approximately. */

import { OWN_LAYERS } from "../own_layers";

const CONTAINERS = new Set(["Sequential", "Functional", "Model"]);

const LAYERS = new Set([
  "Activation",
  "Add",
  "AveragePooling1D",
  "AveragePooling2D",
  "BatchNormalization",
  "Concatenate",
  "Conv1D",
  "Conv2D",
  "Dense",
  "Dropout",
  "Embedding",
  "Flatten",
  "GlobalAveragePooling1D",
  "GlobalAveragePooling2D",
  "GlobalMaxPooling1D",
  "GlobalMaxPooling2D",
  "InputLayer",
  "LSTM",
  "MaxPooling1D",
  "MaxPooling2D",
  "ReLU",
  "Reshape",
  "Softmax",
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

/** Name what TF.js 4.22 gets wrong about a layer's options, or null. */
function wrongOption(className: string, config: Json): string | null {
  if (numbers(config["dilation_rate"]).some((rate) => rate > 1)) return "dilated convolution";
  if (Number(config["groups"] ?? 1) > 1) return "grouped convolution";
  for (const key of ["dropout", "recurrent_dropout"]) {
    // Inside recurrent layers TF.js draws masks that cannot be repeated.
    if (className === "LSTM" && Number(config[key] ?? 0) > 0) return key;
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

function layersOf(config: Json): unknown[] {
  return Array.isArray(config["layers"]) ? config["layers"] : [];
}

/** Check a topology; raises Unsupported with the layer's name, class and reason. */
export function checkTopology(value: unknown): Topology {
  if (!isTopology(value)) throw new Unsupported("The topology is not TF.js layers JSON.");
  if (CONTAINERS.has(value.class_name)) {
    layersOf(value.config).forEach(checkTopology);
    return value;
  }
  const who = `Layer ${String(value.config["name"] ?? "")} (${value.class_name})`;
  if (!LAYERS.has(value.class_name) && !OWN_LAYERS.has(value.class_name)) throw new Unsupported(`${who} is not one this tab trains.`);
  const wrong = wrongOption(value.class_name, value.config);
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
