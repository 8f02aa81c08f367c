/** A stack on CPU and WASM: one memory, JavaScript's loops, and products in SIMD. No tensor of TF.js is made. */

import type { HostTensor } from "../safetensors";
import type { Pass as Update } from "../optimizers/update";
import { dropoutLayer } from "./dropout";
import { activationLayer, affineLayer, denseLayer, type HostLayer, normalizationLayer, softmaxLayer, type Stack, type Value, type Weight } from "./host_layers";
import { type HostLoss, hostLoss } from "./host_losses";
import { convolutionLayer, meanLayer, mostLayer } from "./host_windows";
import { type Batch, type Machine, sameOrders, type StackTask, type UnitState } from "./machine";
import { placeOf, slotOf, weightOf } from "./parameters";
import { RELU } from "./activations";
import { CannotStack, type Step } from "./plan";
import type { Memory } from "./memory";
import { slotStart, type Updating } from "./updating";

/** A quarter of a gigabyte: units of more train one after another. */
const MOST_FLOATS = 1 << 26;

/** Kinds of steps that need not their own output to go back, so that an activation may stand in its place. */
const OVERWRITTEN = new Set(["dense", "convolution", "normalization", "affine"]);
/** Steps that rectify what they give at once. */
const MULTIPLYING = new Set(["dense", "convolution"]);
/** Steps that give the same for all units where they are given the same. */
const SHARING = new Set(["activation", "softmax", "affine", "pool"]);

function weightNames(step: Step): string[] {
  if (step.kind === "dense" || step.kind === "convolution") return [step.kernel, step.bias].filter((name) => name !== null);
  if (step.kind === "normalization") return [step.gamma, step.beta].filter((name) => name !== null);
  return [];
}

/** Hands out places in a memory that is opened afterwards; place 0 stands for nothing. */
class Room {
  size = 16;

  take(floats: number): number {
    const at = this.size;
    this.size += Math.ceil(floats / 4) * 4;
    return at;
  }
}

export class HostMachine implements Machine {
  private readonly task: StackTask;
  private readonly stack: Stack;
  private readonly values: readonly Value[];
  private readonly layers: readonly HostLayer[];
  private readonly loss: HostLoss;
  private readonly updates: readonly Update[];
  private readonly totals: Float32Array;
  private readonly weightsAt: number;
  private readonly gradientsAt: number;

  constructor(task: StackTask, open: (size: number) => Memory) {
    const { plan, parameters, states, batchSize } = task;
    const loss = hostLoss(task.loss, task.fromLogits);
    if (loss === null) throw new CannotStack(`loss ${task.loss}`);
    const units = states.length;
    const room = new Room();
    this.task = task;
    this.loss = loss;
    this.weightsAt = room.take(units * parameters.all);
    this.gradientsAt = room.take(units * parameters.trained);
    this.values = valuesOf(task, room);
    const scratch = room.take(Math.max(0, ...[...parameters.places.values()].map(({ size }) => size)));
    const patches = room.take(batchSize * Math.max(0, ...plan.steps.map(patchNumbers)));
    if (room.size > MOST_FLOATS) throw new CannotStack("together they need too much memory");
    this.stack = { memory: open(room.size), units, each: parameters.all, eachGradient: parameters.trained };
    this.totals = Float32Array.from(states.flatMap(({ lossSum, lossRows }) => [lossSum, lossRows]));
    this.updates = states.map((state, unit): Update => {
      const updating = task.updates[unit] as Updating;
      for (const { name, from } of parameters.places.values()) {
        this.floats.set(weightOf(state, name), this.weightsAt + unit * parameters.all + from);
      }
      const slots = updating.rule.slotNames.map((slot, index) => {
        const values = new Float32Array(parameters.trained);
        for (const name of parameters.trainable) {
          const place = placeOf(parameters, name);
          values.set(slotOf(state, slot, place, slotStart(updating, index)), place.from);
        }
        return values;
      });
      const part = (at: number): Float32Array => this.floats.subarray(at, at + parameters.trained);
      const weight = part(this.weightsAt + unit * parameters.all);
      return { next: weight, weight, gradient: part(this.gradientsAt + unit * parameters.trained), slots };
    });
    this.layers = plan.steps.map((step, index) => this.layer(step, index, { scratch, patches }));
  }

  step(batch: Batch): void {
    const { rows, step, orders, iterations, first } = batch;
    const { plan, updates, y } = this.task;
    const pass = { rows, step };
    this.gather(orders, rows);
    for (const layer of this.layers) layer.forward(pass);
    const last = this.values.at(-1) as Value;
    for (let unit = 0; unit < this.stack.units; unit++) {
      const own = unit * rows * last.size;
      const order = orders[orders.length === 1 ? 0 : unit] as Int32Array;
      const given = { floats: this.floats, outputs: last.at + own, gradient: last.gradient + own, size: last.size, targets: y, order };
      const sum = this.loss(given);
      this.totals[2 * unit] = (first ? 0 : (this.totals[2 * unit] as number)) + sum;
      this.totals[2 * unit + 1] = (first ? 0 : (this.totals[2 * unit + 1] as number)) + rows;
    }
    for (let index = this.layers.length - 1; index >= 0; index--) {
      if ((this.values[index + 1] as Value).gradient !== 0) this.layers[index]?.backward(pass);
    }
    if (plan.penalties.length > 0) this.penalise();
    this.updates.forEach((update, unit) => {
      const { rule, constants } = updates[unit] as Updating;
      rule.onHost(update, constants(iterations[unit] ?? 1));
    });
  }

  sums(): Promise<Float32Array> {
    return Promise.resolve(this.totals.slice());
  }

  read(): Promise<readonly UnitState[]> {
    const { parameters, updates } = this.task;
    const units = this.updates.map(({ slots }, unit): UnitState => {
      const weights = new Map<string, HostTensor>();
      for (const { name, shape, from, size } of parameters.places.values()) {
        const at = this.weightsAt + unit * parameters.all + from;
        weights.set(name, { shape, data: this.floats.slice(at, at + size) });
      }
      const named = (updates[unit] as Updating).rule.slotNames.map((slot, index) => {
        const own = parameters.trainable.map((name): [string, HostTensor] => {
          const { shape, from, size } = placeOf(parameters, name);
          return [name, { shape, data: (slots[index] as Float32Array).slice(from, from + size) }];
        });
        return [slot, new Map(own)] as const;
      });
      const [lossSum, lossRows] = [this.totals[2 * unit] ?? 0, this.totals[2 * unit + 1] ?? 0];
      return { weights, slots: new Map(named), lossSum, lossRows };
    });
    return Promise.resolve(units);
  }

  dispose(): void {
    // Nothing of it lies outside JavaScript's own memory.
  }

  private get floats(): Float32Array {
    return this.stack.memory.floats;
  }

  private gather(orders: readonly Int32Array[], rows: number): void {
    const [{ at, size } = { at: 0, size: 0 }] = this.values;
    const { x } = this.task;
    orders.forEach((order, unit) => {
      for (let row = 0; row < rows; row++) {
        const from = (order[row] as number) * size;
        const to = at + (unit * rows + row) * size;
        for (let i = 0; i < size; i++) this.floats[to + i] = x[from + i] as number;
      }
    });
  }

  private penalise(): void {
    const { parameters, plan } = this.task;
    const { floats } = this;
    for (const { weight, l1, l2 } of plan.penalties) {
      const { from, size } = placeOf(parameters, weight);
      for (let unit = 0; unit < this.stack.units; unit++) {
        const [first, second] = [l1[unit] ?? 0, 2 * (l2[unit] ?? 0)];
        const w = this.weightsAt + unit * parameters.all + from;
        const g = this.gradientsAt + unit * parameters.trained + from;
        for (let i = 0; i < size; i++) {
          const value = floats[w + i] as number;
          floats[g + i] = (floats[g + i] as number) + (value < 0 ? -first : first) + second * value;
        }
      }
    }
  }

  private weight(name: string): Weight {
    const { from } = placeOf(this.task.parameters, name);
    const trains = this.task.parameters.trainable.includes(name);
    return { at: this.weightsAt + from, gradient: trains ? this.gradientsAt + from : 0 };
  }

  private layer(step: Step, index: number, room: { scratch: number; patches: number }): HostLayer {
    const { stack, task } = this;
    const [input, output] = [this.values[index], this.values[index + 1]];
    if (input === undefined || output === undefined) throw new Error("a layer has no value");
    const next = task.plan.steps[index + 1];
    const rectified = next?.kind === "activation" && next.activation === RELU;
    const maybe = (name: string | null): Weight | null => (name === null ? null : this.weight(name));
    switch (step.kind) {
      case "dense":
        return denseLayer({ ...step, stack, input, output, kernel: this.weight(step.kernel), bias: maybe(step.bias), rectified, scratch: room.scratch });
      case "convolution":
        return convolutionLayer({ ...step, ...room, stack, input, output, kernel: this.weight(step.kernel), bias: maybe(step.bias), rectified });
      case "pool":
        return step.most
          ? mostLayer(stack, step.window, input, output)
          : meanLayer(stack, step.window, input, output);
      case "activation":
        return activationLayer(stack, step.activation, input, output, step.activation === RELU && MULTIPLYING.has(task.plan.steps[index - 1]?.kind ?? ""));
      case "softmax":
        return softmaxLayer(stack, step.classes, input, output);
      case "dropout":
        return dropoutLayer({ stack, input, output, layer: step.layer, rates: step.rates, seeds: task.seeds, batch: task.batchSize });
      case "normalization":
        return normalizationLayer({
          stack, step, input, output,
          gamma: maybe(step.gamma), beta: maybe(step.beta),
          mean: this.weight(step.mean), variance: this.weight(step.variance),
        });
      case "affine":
        return affineLayer(stack, step.scale, step.offset, input, output);
    }
  }
}

function patchNumbers(step: Step): number {
  if (step.kind !== "convolution") return 0;
  const { height, width, channels, outHeight, outWidth } = step.window;
  return height * width * channels * outHeight * outWidth;
}

/** Give every value its place, and its gradient where something before it trains. */
function valuesOf(task: StackTask, room: Room): Value[] {
  const { plan, states, parameters, batchSize } = task;
  const shared = sameOrders(task);
  const floats = (size: number, once: boolean): number => (once ? 1 : states.length) * batchSize * size;
  const input = plan.sizes[0] ?? 0;
  const values: Value[] = [{ at: room.take(floats(input, shared)), gradient: 0, size: input, shared }];
  plan.steps.forEach((step, index) => {
    const before = values[index] as Value;
    const size = plan.sizes[index + 1] ?? 0;
    const wanted = before.gradient !== 0 || weightNames(step).some((name) => parameters.trainable.includes(name));
    if (step.kind === "activation" && OVERWRITTEN.has(plan.steps[index - 1]?.kind ?? "")) {
      values.push({ ...before, size });
      return;
    }
    const once = before.shared && SHARING.has(step.kind);
    const at = room.take(floats(size, once));
    values.push({ at, gradient: wanted ? room.take(floats(size, once)) : 0, size, shared: once });
  });
  if (values.at(-1)?.gradient === 0) throw new CannotStack("nothing of the network trains");
  return values;
}
