/**
 * Several units trained together as one batched graph: one topology, the same rows, batch size, loss and kind of
 * optimizer; learning rates, momenta, dropout rates, penalties, seeds and weights are each unit's own. Each
 * unit's result is what it gets alone, within float tolerance.
 */

import { getBackend } from "@tensorflow/tfjs-core";
import { readCheckpoint, type State } from "../checkpoint";
import { openNetwork } from "../network";
import { epochOrder } from "../randomness";
import { BadTensors, readSafetensors } from "../safetensors";
import type { Recipe, TrainingBytes } from "../training";
import { checkAlike } from "./alike";
import { DeviceMachine } from "./device";
import { HostMachine } from "./host";
import type { Machine, StackTask } from "./machine";
import type { Party } from "./party";
import { sameOrders } from "./machine";
import { checkWeights, parametersOf } from "./parameters";
import { CannotStack, planOf } from "./plan";
import { plainMemory, simdMemory } from "./memory";
import { updatingOf } from "./updating";

export interface StackedUnit {
  readonly recipe: Recipe;
  readonly bytes: TrainingBytes;
}

function sameBytes(left: ArrayBuffer, right: ArrayBuffer): boolean {
  if (left === right) return true;
  if (left.byteLength !== right.byteLength) return false;
  const [a, b] = [new Uint8Array(left), new Uint8Array(right)];
  return a.every((byte, i) => byte === b[i]);
}

function machineOf(task: StackTask): Machine {
  switch (getBackend()) {
    case "cpu":
      return new HostMachine(task, plainMemory);
    case "wasm":
      return new HostMachine(task, simdMemory);
    default:
      return new DeviceMachine(task);
  }
}

export class StackedTraining implements Party {
  readonly stacked: boolean;
  private readonly recipe: Recipe;
  private readonly seeds: readonly number[];
  private readonly machine: Machine;
  private readonly iterations: number[];
  private finished: number;
  private order: { readonly epoch: number; readonly rows: readonly Int32Array[] } | null = null;

  private constructor(recipe: Recipe, task: StackTask) {
    this.recipe = recipe;
    this.stacked = task.states.length > 1;
    this.seeds = sameOrders(task) ? task.seeds.slice(0, 1) : task.seeds;
    this.iterations = task.states.map(({ iteration }) => iteration);
    this.finished = task.states[0]?.step ?? 0;
    this.machine = machineOf(task);
  }

  /** Open units on the present backend; raises CannotStack where each is to be trained alone. */
  static async open(units: readonly StackedUnit[]): Promise<StackedTraining> {
    const [first] = units;
    if (first === undefined) throw new CannotStack("there is no unit");
    const recipes = units.map(({ recipe }) => recipe);
    checkAlike(recipes);
    const { recipe } = first;
    const states = units.map(({ bytes }) => readCheckpoint(bytes.checkpoint));
    if (states.some(({ step }) => step !== states[0]?.step)) throw new CannotStack("they stand at different steps");
    if (units.some(({ bytes }) => !sameBytes(bytes.tensors, first.bytes.tensors))) throw new CannotStack("their rows differ");
    const network = await openNetwork(first.bytes.topology);
    try {
      const plan = planOf(network, units.map(({ bytes }) => bytes.topology));
      const parameters = parametersOf(network);
      for (const state of states) checkWeights(parameters, state);
      const data = readSafetensors(first.bytes.tensors).tensors;
      if (data.size > 2) throw new CannotStack("there is more than x and y");
      const [x, y] = [data.get("x"), data.get("y")];
      if (x?.shape[0] !== recipe.rows || y?.shape[0] !== recipe.rows) {
        throw new BadTensors(`x and y should have ${recipe.rows} rows each`);
      }
      if (!(x.data instanceof Float32Array)) throw new CannotStack("the input is no floats");
      const numbersOfRow = y.shape.slice(1).reduce((product, axis) => product * axis, 1);
      const outputs = plan.sizes.at(-1) ?? 0;
      const ofClasses = recipe.loss === "sparse_categorical_crossentropy";
      if (numbersOfRow !== (ofClasses ? 1 : outputs)) throw new CannotStack("targets have another shape than outputs");
      return new StackedTraining(recipe, {
        plan,
        parameters,
        states,
        updates: recipes.map(updatingOf),
        seeds: recipes.map(({ seed }) => seed),
        x: x.data,
        y: y.data as Float32Array | Int32Array,
        loss: recipe.loss,
        fromLogits: recipe.from_logits,
        batchSize: recipe.batch_size,
      });
    } finally {
      network.model.dispose();
    }
  }

  /** Steps finished, counted over the whole trial. */
  get step(): number {
    return this.finished;
  }

  /** Whole epochs finished, counted over the whole trial. */
  get epoch(): number {
    return Math.floor(this.finished / this.recipe.steps_per_epoch);
  }

  /** Train all units on their next batch. On a GPU the work is only handed over; `losses` waits for it. */
  advance(): void {
    const { steps_per_epoch: steps, batch_size: size, rows } = this.recipe;
    const { epoch } = this;
    const batch = this.finished % steps;
    if (this.order?.epoch !== epoch) {
      this.order = { epoch, rows: this.seeds.map((seed) => epochOrder(seed, epoch, rows)) };
    }
    const [from, to] = [batch * size, Math.min((batch + 1) * size, rows)];
    this.iterations.forEach((iteration, unit) => (this.iterations[unit] = iteration + 1));
    this.machine.step({
      orders: this.order.rows.map((order) => order.subarray(from, to)),
      epochOrders: this.order.rows,
      from,
      rows: to - from,
      step: this.finished,
      iterations: this.iterations,
      first: batch === 0,
    });
    this.finished += 1;
  }

  /** Wait for all steps so far, and give each unit's mean row loss of the present (or just finished) epoch. */
  async losses(): Promise<number[]> {
    const sums = await this.machine.sums();
    return this.iterations.map((_, unit) => {
      const [total = 0, rows = 0] = sums.subarray(2 * unit, 2 * unit + 2);
      return rows === 0 ? 0 : total / rows;
    });
  }

  /** Read every unit's whole state back. */
  async states(): Promise<State[]> {
    const read = await this.machine.read();
    const { epoch, step } = this;
    return read.map((unit, index) => ({ ...unit, iteration: this.iterations[index] ?? 0, epoch, step }));
  }

  dispose(): void {
    this.machine.dispose();
  }
}
