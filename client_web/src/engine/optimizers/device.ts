/**
 * Optimizers on a GPU: weights and slots of many layers lie in one tensor [1 + slots, numbers], and one
 * program a group makes all of the next. What the layers read are slices of it. WebGL's matrices stand apart.
 */

import { concat, engine, fill, getBackend, keep, reshape, slice, type Tensor, type TensorInfo, tensor, tensor1d, tidy } from "@tensorflow/tfjs-core";
import type { Network } from "../network";
import type { HostTensor } from "../safetensors";
import type { OpenOptimizer } from ".";
import { type Norms, type Span, SpanNorms, together } from "./norms";
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
  /** Where the rule clips by norms: their sums, and of which weight each number is. */
  readonly norms: SpanNorms | null;
  readonly owner: Tensor | null;
  /** [1 + slots, numbers]. */
  state: Tensor;
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, axis) => product * axis, 1);
}

function part(tensors: readonly Tensor[], index: number): Tensor {
  const found = tensors[index];
  if (found === undefined) throw new Error(`group ${index} is missing`);
  return found;
}

/** TF.js's variables apply their constraint when they are written; its types do not show it. */
function hasConstraint(weight: object): boolean {
  const { constraint = null } = weight as { readonly constraint?: unknown };
  return constraint !== null;
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
    // WebGPU's programs write several numbers at once, and its tensors have one layout only. Norms are of flat gradients.
    const apart = (name: string): boolean =>
      getBackend() === "webgl" && rule.clipping === null && network.shapeOf(name).length === 2;
    this.matrices = new Matrices(network, rule, names.filter(apart), slots);
    const rest = names.filter((name) => !apart(name));
    this.groups = grouped(network, rest).map((places) => ({
      places,
      norms: rule.clipping === null ? null : new SpanNorms(this.spansOf(places)),
      owner: rule.clipping?.of === "each" ? tensor1d(places.flatMap(({ size }, i) => Array<number>(size).fill(i))) : null,
      state: this.stateOf(places, slots),
    }));
  }

  step(gradients: ReadonlyMap<string, Tensor>, iteration: number, rate: number): void {
    const constants = this.rule.constants(iteration, rate);
    this.matrices.step(gradients, constants);
    tidy(() => {
      const flat = this.groups.map(({ places }) =>
        concat(
          places.map(({ name, size }) => {
            const own = gradients.get(name);
            if (own === undefined) throw new Error(`no gradient for ${name}`);
            return reshape(own, [size]);
          }),
        ),
      );
      const norms = this.normsOf(flat);
      this.groups.forEach((group, index) => {
        const made: TensorInfo = runUpdate(this.rule, group.state, part(flat, index), constants, norms?.[index] ?? null);
        const next = engine().makeTensorFromTensorInfo(made);
        for (const { name, shape, from, size } of group.places) {
          const own = reshape(slice(next, [0, from], [1, size]), [...shape]);
          this.network.weightOf(name).write(own);
        }
        group.state.dispose();
        group.state = keep(this.constrained(group.places, next));
      });
    });
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
    for (const { state, norms, owner } of this.groups) {
      state.dispose();
      norms?.dispose();
      owner?.dispose();
    }
  }

  /** What clipping has to know of the gradients of each group. */
  private normsOf(flat: readonly Tensor[]): readonly Norms[] | null {
    const { clipping } = this.rule;
    if (clipping === null) return null;
    const squares = this.groups.map(({ norms }, index) => norms?.of(part(flat, index)) ?? part(flat, index));
    if (clipping.of === "each") {
      return this.groups.map(({ owner }, index) => ({ clipping, squares: part(squares, index), owner }));
    }
    const all = together(squares);
    return this.groups.map(() => ({ clipping, squares: all, owner: null }));
  }

  private spansOf(places: readonly Place[]): Span[] {
    if (this.rule.clipping?.of === "each") return places.map(({ from, size }) => ({ from, end: from + size }));
    return [{ from: 0, end: places.reduce((total, { size }) => total + size, 0) }];
  }

  /** Give the state with weights as their constraints left them: the next step starts from those. */
  private constrained(places: readonly Place[], next: Tensor): Tensor {
    if (!places.some(({ name }) => hasConstraint(this.network.weightOf(name)))) return next;
    const weights = concat(places.map(({ name, size }) => reshape(this.network.weightOf(name).read(), [size])));
    const row = reshape(weights, [1, weights.size]);
    const slots = this.rule.slotNames.length;
    return slots === 0 ? row : concat([row, slice(next, [1, 0], [slots, weights.size])]);
  }

  private stateOf(places: readonly Place[], slots: Slots): Tensor {
    return tidy(() => {
      const weights = concat(places.map(({ name, size }) => reshape(this.network.weightOf(name).read(), [size])));
      const rows = this.rule.slotNames.map((slotName, index) =>
        concat(
          places.map(({ name, size }) => {
            const saved = slots.get(slotName)?.get(name);
            return saved === undefined ? fill([size], this.rule.initial[index] ?? 0) : tensor(saved.data, [size], "float32");
          }),
        ),
      );
      return reshape(concat([weights, ...rows]), [1 + rows.length, weights.size]);
    });
  }
}
