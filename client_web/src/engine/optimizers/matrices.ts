/**
 * Optimizers of matrices on WebGL: weights, gradients and slots stay in the layout in which TF.js's products
 * leave and read them, four numbers a texel, and each new value is computed once.
 */

import { engine, fill, keep, tensor, type Tensor, tidy } from "@tensorflow/tfjs-core";
import type { Network } from "../network";
import type { HostTensor } from "../safetensors";
import type { OptimizerRule } from "./rules";
import { updateMatrix } from "./shaders";

type Slots = ReadonlyMap<string, ReadonlyMap<string, HostTensor>>;

export class Matrices {
  private readonly network: Network;
  private readonly rule: OptimizerRule;
  /** By the weight's name, in the order of the rule's slots. */
  private readonly held: ReadonlyMap<string, Tensor[]>;

  constructor(network: Network, rule: OptimizerRule, names: readonly string[], slots: Slots) {
    this.network = network;
    this.rule = rule;
    const open = (name: string, slotName: string, index: number): Tensor => {
      const saved = slots.get(slotName)?.get(name);
      const shape = [...network.shapeOf(name)];
      return saved === undefined ? fill(shape, rule.initial[index] ?? 0) : tensor(saved.data, shape, "float32");
    };
    this.held = new Map(names.map((name) => [name, rule.slotNames.map((slotName, index) => open(name, slotName, index))]));
  }

  step(gradients: ReadonlyMap<string, Tensor>, constants: readonly number[]): void {
    for (const [name, slots] of this.held) {
      const gradient = gradients.get(name);
      if (gradient === undefined) throw new Error(`no gradient for ${name}`);
      const weight = this.network.weightOf(name);
      tidy(() => {
        const made = updateMatrix(this.rule, weight.read(), slots, gradient, constants);
        const [next, ...nextSlots] = made.map((info) => engine().makeTensorFromTensorInfo(info));
        if (next === undefined) throw new Error("no new weight");
        weight.write(next);
        nextSlots.forEach((slot, index) => {
          slots[index]?.dispose();
          slots[index] = keep(slot);
        });
      });
    }
  }

  /** Read a slot of every matrix back: weight name -> values. */
  async slot(index: number): Promise<Map<string, HostTensor>> {
    const found = new Map<string, HostTensor>();
    for (const [name, slots] of this.held) {
      const data = (await slots[index]?.data()) as Float32Array;
      found.set(name, { shape: this.network.shapeOf(name), data: Float32Array.from(data) });
    }
    return found;
  }

  dispose(): void {
    for (const slots of this.held.values()) for (const slot of slots) slot.dispose();
  }
}
