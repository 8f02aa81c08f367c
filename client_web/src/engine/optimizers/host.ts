/**
 * Optimizers where JavaScript reaches the weights' memory (CPU, WASM): one loop instead of a dozen kernels
 * a weight. The slots never become tensors. A weight's new values are a new tensor: TF.js's WASM keeps a
 * packed copy of the old one's.
 */

import { engine, type Tensor, type TensorInfo, type TypedArray, type Variable, tidy } from "@tensorflow/tfjs-core";
import type { Network } from "../network";
import type { HostTensor } from "../safetensors";
import type { OpenOptimizer } from ".";
import type { OptimizerRule } from "./rules";

type Slots = ReadonlyMap<string, ReadonlyMap<string, HostTensor>>;

/** WASM's memory is reached by views; on the CPU a tensor's values are an array of JavaScript's. */
type HostBackend =
  | {
      readonly typedArrayFromHeap: (tensor: TensorInfo) => TypedArray;
      readonly makeOutput: (shape: number[], dtype: "float32") => TensorInfo;
    }
  | { readonly readSync: (id: object) => TypedArray };

/** Make a tensor of any values; on WASM without a detour through JavaScript's memory. */
function emptyLike(tensor: Tensor): Tensor {
  const backend = engine().backend as unknown as HostBackend;
  if ("typedArrayFromHeap" in backend) {
    return engine().makeTensorFromTensorInfo(backend.makeOutput(tensor.shape, "float32"));
  }
  return engine().makeTensor(new Float32Array(tensor.size), tensor.shape, "float32");
}

/** See a tensor's values without copying them where the backend allows it. */
function values(tensor: Tensor): Float32Array {
  const backend = engine().backend as unknown as HostBackend;
  const seen =
    "typedArrayFromHeap" in backend ? backend.typedArrayFromHeap(tensor) : backend.readSync(tensor.dataId);
  return seen as Float32Array;
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
        return found === undefined ? new Float32Array(size) : Float32Array.from(found.data);
      };
      memory.set(name, rule.slotNames.map(saved));
    }
    this.memory = memory;
  }

  step(gradients: ReadonlyMap<string, Tensor>, iteration: number): void {
    const constants = this.rule.constants(iteration);
    for (const [name, slots] of this.memory) {
      const weight = this.network.weightOf(name);
      const gradient = gradients.get(name);
      if (gradient === undefined) throw new Error(`no gradient for ${name}`);
      tidy(() => {
        const old = weight.read() as Variable;
        const next = emptyLike(old);
        // Views are taken after the allocation: WASM memory moves when it grows.
        const pass = { next: values(next), weight: values(old), gradient: values(gradient), slots };
        this.rule.onHost(pass, constants);
        weight.write(next);
      });
    }
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
