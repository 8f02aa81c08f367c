/** A network opened from its topology, with its weights by the names that checkpoints use. */

import { tensor, type Variable } from "@tensorflow/tfjs-core";
import { type layers, type LayersModel, type LayerVariable, models } from "@tensorflow/tfjs-layers";
import { checkOpened, checkTopology, Unsupported, withoutInitializers } from "./layers/guard";
import { BadTensors, type HostTensor } from "./safetensors";

export interface Network {
  readonly model: LayersModel;
  /** Every weight by `layer/weight`, fitted state included. */
  readonly weights: ReadonlyMap<string, LayerVariable>;
  /** Names of those that training changes by gradients. */
  readonly trainable: ReadonlySet<string>;
  /** Give a weight by its name; raises where there is none. */
  readonly weightOf: (name: string) => LayerVariable;
  readonly shapeOf: (name: string) => readonly number[];
}

function checkLayers(opened: readonly layers.Layer[]): void {
  for (const layer of opened) {
    if ("layers" in layer) checkLayers(layer.layers as layers.Layer[]);
    const shape = [layer.inboundNodes[0]?.inputShapes[0] ?? []].flat(2) as (number | null)[];
    checkOpened(layer.getClassName(), layer.getConfig() as Record<string, unknown>, shape);
  }
}

/** Open TF.js layers JSON on the present backend; raises Unsupported where it would train wrongly. */
export async function openNetwork(topology: ArrayBuffer): Promise<Network> {
  const parsed = checkTopology(JSON.parse(new TextDecoder().decode(topology)));
  const model = await models.modelFromJSON({
    modelTopology: withoutInitializers(parsed) as never,
  });
  try {
    if (model.inputs.length > 1 || model.outputs.length > 1) {
      throw new Unsupported("A unit has rows for one input and one output; the network has more.");
    }
    checkLayers(model.layers);
  } catch (problem) {
    model.dispose();
    throw problem;
  }
  // `name` gets a suffix where a model before this one had the same layer; `originalName` does not.
  const weights = new Map(model.weights.map((weight) => [weight.originalName, weight]));
  const trainable = new Set(model.trainableWeights.map((weight) => weight.originalName));
  const weightOf = (name: string): LayerVariable => {
    const weight = weights.get(name);
    if (weight === undefined) throw new Error(`there is no weight ${name}`);
    return weight;
  };
  return { model, weights, trainable, weightOf, shapeOf: (name) => weightOf(name).shape.map(Number) };
}

/** Put values into a network's weights; raises BadTensors where names or shapes disagree. */
export function setWeights(network: Network, values: ReadonlyMap<string, HostTensor>): void {
  const missing = [...network.weights.keys()].filter((name) => !values.has(name));
  const unknown = [...values.keys()].filter((name) => !network.weights.has(name));
  if (missing.length + unknown.length > 0) {
    throw new BadTensors(`weights missing: ${missing.join(", ")}; unknown: ${unknown.join(", ")}`);
  }
  for (const [name, weight] of network.weights) {
    const value = values.get(name);
    if (value === undefined || value.shape.join() !== weight.shape.join()) {
      throw new BadTensors(
        `${name} has shape [${value?.shape.join()}] instead of [${weight.shape.join()}]`,
      );
    }
    const fresh = tensor(value.data, [...value.shape], "float32");
    // Written past the constraint: Keras applies it after steps only, and again it would round anew.
    (weight.read() as Variable).assign(fresh);
    fresh.dispose();
  }
}
