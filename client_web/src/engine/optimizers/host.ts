/**
 * Optimizers where JavaScript reaches the weights' memory (CPU, WASM): one loop instead of a dozen kernels
 * a weight. The slots never become tensors. A weight's new values are a new tensor: TF.js's WASM keeps a
 * packed copy of the old one's.
 */

import { engine, type Tensor, tidy, type TensorInfo } from "@tensorflow/tfjs-core";
import { emptyTensor, valuesOf } from "../host_memory";
import type { Network } from "../network";
import type { HostTensor } from "../safetensors";
import type { OpenOptimizer } from ".";
import { type OptimizerRule, scaleOf } from "./rules";

type Slots = ReadonlyMap<string, ReadonlyMap<string, HostTensor>>;

function floats(tensor: TensorInfo): Float32Array {
  return valuesOf(tensor) as Float32Array;
}

export class HostOptimizer implements OpenOptimizer {
  private readonly network: Network;
  private readonly rule: OptimizerRule;
  private readonly memory: ReadonlyMap<string, readonly Float32Array[]>;

  constructor(network: Network, rule: OptimizerRule, slots: Slots) {
    this.network = network;
    this.rule = rule;
    const memory = new Map<string, readonly Float32Array[]>();
    for (const name of network.trainable) {
      const size = network.shapeOf(name).reduce((product, axis) => product * axis, 1);
      const saved = (slot: string): Float32Array => {
        const found = slots.get(slot)?.get(name);
        if (found !== undefined) return Float32Array.from(found.data);
        return new Float32Array(size).fill(rule.initial[rule.slotNames.indexOf(slot)] ?? 0);
      };
      memory.set(name, rule.slotNames.map(saved));
    }
    this.memory = memory;
  }

  step(gradients: ReadonlyMap<string, Tensor>, iteration: number, rate: number): void {
    const constants = this.rule.constants(iteration, rate);
    const together = this.rule.clipping?.of === "all" ? this.squares([...gradients.values()]) : null;
    for (const [name, slots] of this.memory) {
      const weight = this.network.weightOf(name);
      const gradient = gradients.get(name);
      if (gradient === undefined) throw new Error(`no gradient for ${name}`);
      tidy(() => {
        const old = weight.read();
        const next = engine().makeTensorFromTensorInfo(emptyTensor(old.shape));
        const [from, by] = [floats(old), this.clipped(gradient, together)];
        const pass = { next: floats(next), weight: from, gradient: by, slots };
        this.rule.onHost(pass, constants);
        weight.write(next);
      });
    }
  }

  private squares(gradients: readonly Tensor[]): number {
    let total = 0;
    for (const gradient of gradients) for (const value of floats(gradient)) total += value * value;
    return total;
  }

  /** Give the gradient, no longer than the rule has it; `together`: the squares of all gradients. */
  private clipped(gradient: Tensor, together: number | null): Float32Array {
    const values = floats(gradient);
    const { clipping } = this.rule;
    if (clipping === null) return values;
    const scale = scaleOf(clipping, together ?? this.squares([gradient]));
    return scale === 1 ? values : values.map((value) => value * scale);
  }

  slots(): Promise<Slots> {
    const found = this.rule.slotNames.map((slotName, index) => {
      const own = [...this.memory].map(([name, slots]): [string, HostTensor] => {
        const data = Float32Array.from(slots[index] ?? []);
        return [name, { shape: this.network.shapeOf(name), data }];
      });
      return [slotName, new Map(own)] as const;
    });
    return Promise.resolve(new Map(found));
  }

  dispose(): void {
    // Nothing of it lies outside JavaScript's own memory.
  }
}
