/**
 * Optimizers on a GPU: weights and slots of many layers lie in one tensor [1 + slots, numbers], and one
 * program a group makes all of the next. What the layers read are slices of it. WebGL's matrices stand apart.
 */

import { concat, engine, getBackend, keep, reshape, slice, type Tensor, type TensorInfo, tidy, zeros, tensor } from "@tensorflow/tfjs-core";
import type { Network } from "../network";
import type { HostTensor } from "../safetensors";
import type { OpenOptimizer } from ".";
import type { OptimizerRule } from "./rules";
import { Matrices } from "./matrices";
import { runUpdate } from "./shaders";

type Slots = ReadonlyMap<string, ReadonlyMap<string, HostTensor>>;

/** Textures are bounded: more numbers than this make another group. */
const MOST_NUMBERS = 1 << 20;

interface Place {
  readonly name: string;
  readonly shape: readonly number[];
  readonly from: number;
  readonly size: number;
}

interface Group {
  readonly places: readonly Place[];
  /** [1 + slots, numbers]. */
  state: Tensor;
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, axis) => product * axis, 1);
}

/** Put weights together in their order until a group is full. */
function grouped(network: Network, names: readonly string[]): Place[][] {
  const groups: Place[][] = [];
  let from = 0;
  for (const name of names) {
    const shape = network.shapeOf(name);
    const size = sizeOf(shape);
    if (groups.length === 0 || from + size > MOST_NUMBERS) {
      groups.push([]);
      from = 0;
    }
    groups.at(-1)?.push({ name, shape, from, size });
    from += size;
  }
  return groups;
}

export class DeviceOptimizer implements OpenOptimizer {
  private readonly network: Network;
  private readonly rule: OptimizerRule;
  private readonly groups: readonly Group[];
  private readonly matrices: Matrices;

  constructor(network: Network, rule: OptimizerRule, slots: Slots) {
    this.network = network;
    this.rule = rule;
    const names = [...network.trainable];
    // WebGPU's programs write several numbers at once, and its tensors have one layout only.
    const apart = (name: string): boolean => getBackend() === "webgl" && network.shapeOf(name).length === 2;
    this.matrices = new Matrices(network, rule, names.filter(apart), slots);
    const together = names.filter((name) => !apart(name));
    this.groups = grouped(network, together).map((places) => ({ places, state: this.stateOf(places, slots) }));
  }

  step(gradients: ReadonlyMap<string, Tensor>, iteration: number): void {
    const constants = this.rule.constants(iteration);
    this.matrices.step(gradients, constants);
    for (const group of this.groups) {
      tidy(() => {
        const gradient = concat(
          group.places.map(({ name, size }) => {
            const own = gradients.get(name);
            if (own === undefined) throw new Error(`no gradient for ${name}`);
            return reshape(own, [size]);
          }),
        );
        const made: TensorInfo = runUpdate(this.rule, group.state, gradient, constants);
        const next = keep(engine().makeTensorFromTensorInfo(made));
        for (const { name, shape, from, size } of group.places) {
          const own = reshape(slice(next, [0, from], [1, size]), [...shape]);
          this.network.weightOf(name).write(own);
        }
        group.state.dispose();
        group.state = next;
      });
    }
  }

  async slots(): Promise<Slots> {
    const found = new Map<string, Map<string, HostTensor>>();
    for (const [index, slot] of this.rule.slotNames.entries()) found.set(slot, await this.matrices.slot(index));
    for (const { places, state } of this.groups) {
      const data = (await state.data()) as Float32Array;
      const numbers = state.shape[1] ?? 0;
      this.rule.slotNames.forEach((slotName, index) => {
        for (const { name, shape, from, size } of places) {
          const start = (1 + index) * numbers + from;
          found.get(slotName)?.set(name, { shape, data: data.slice(start, start + size) });
        }
      });
    }
    return found;
  }

  dispose(): void {
    this.matrices.dispose();
    for (const { state } of this.groups) state.dispose();
  }

  private stateOf(places: readonly Place[], slots: Slots): Tensor {
    return tidy(() => {
      const weights = concat(places.map(({ name, size }) => reshape(this.network.weightOf(name).read(), [size])));
      const rows = this.rule.slotNames.map((slotName) =>
        concat(
          places.map(({ name, size }) => {
            const saved = slots.get(slotName)?.get(name);
            return saved === undefined ? zeros([size]) : tensor(saved.data, [size], "float32");
          }),
        ),
      );
      return reshape(concat([weights, ...rows]), [1 + rows.length, weights.size]);
    });
  }
}
