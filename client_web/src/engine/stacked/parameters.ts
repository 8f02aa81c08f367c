/** Where each weight of a stack's units lies: those that train first, side by side. */

import type { State } from "../checkpoint";
import type { Network } from "../network";
import { BadTensors, type HostTensor } from "../safetensors";

export interface Place {
  readonly name: string;
  readonly shape: readonly number[];
  readonly size: number;
  /** Numbers of one unit's weights before this one's. */
  readonly from: number;
}

export interface Parameters {
  readonly places: ReadonlyMap<string, Place>;
  /** Names of those that training changes by gradients. */
  readonly trainable: readonly string[];
  /** Numbers of one unit: those that train, and all. */
  readonly trained: number;
  readonly all: number;
}

/** Lay out a network's weights. */
export function parametersOf(network: Network): Parameters {
  const trainable = [...network.trainable];
  const others = [...network.weights.keys()].filter((name) => !network.trainable.has(name));
  const places = new Map<string, Place>();
  let from = 0;
  let trained = 0;
  for (const name of [...trainable, ...others]) {
    const shape = network.shapeOf(name);
    const size = shape.reduce((product, axis) => product * axis, 1);
    places.set(name, { name, shape, size, from });
    from += size;
    if (network.trainable.has(name)) trained = from;
  }
  return { places, trainable, trained, all: from };
}

/** Give a weight's place; a missing one would be a mistake of ours. */
export function placeOf(parameters: Parameters, name: string): Place {
  const place = parameters.places.get(name);
  if (place === undefined) throw new Error(`there is no weight ${name}`);
  return place;
}

/** Check that a state has these weights and no others. */
export function checkWeights({ places }: Parameters, { weights }: State): void {
  for (const { name, shape } of places.values()) {
    const value = weights.get(name);
    if (value?.shape.join() !== shape.join()) {
      throw new BadTensors(`${name} has shape [${value?.shape.join()}] instead of [${shape.join()}]`);
    }
  }
  if (weights.size !== places.size) throw new BadTensors("there are weights that the network does not have");
}

/** Give a slot's values for a weight; where it is missing, what it starts from. */
export function slotOf(state: State, slot: string, { name, size }: Place, start: number): ArrayLike<number> {
  return state.slots.get(slot)?.get(name)?.data ?? new Float32Array(size).fill(start);
}

/** Give a state's values of a weight. */
export function weightOf(state: State, name: string): HostTensor["data"] {
  return state.weights.get(name)?.data ?? new Float32Array(0);
}
