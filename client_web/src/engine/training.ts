/**
 * One unit's training, step by step. Between two steps its whole state can be taken out (`state`), and
 * training that is opened from it goes on bit for bit where backend and bundle are the same.
 */

import {
  add,
  concat,
  dispose,
  gather,
  keep,
  mean,
  reshape,
  type Scalar,
  sum,
  tensor,
  tensor1d,
  type Tensor,
  type Tensor1D,
  tidy,
  type Variable,
  variable,
  variableGrads,
} from "@tensorflow/tfjs-core";
import type { Unit } from "../protocol/messages";
import { readCheckpoint, type State } from "./checkpoint";
import { place } from "./layers/place";
import { rowLosses, weighted } from "./losses";
import { type Network, openNetwork, setWeights } from "./network";
import { type OpenOptimizer, openOptimizer } from "./optimizers";
import { epochOrder } from "./randomness";
import { BadTensors, type HostTensor, readSafetensors } from "./safetensors";
import { afterEpoch, type PlateauState } from "./schedules/plateau";
import { rateAt } from "./schedules/rates";

/** The part of a unit that decides what its weights become. */
export type Recipe = Pick<
  Unit,
  "rows" | "batch_size" | "steps_per_epoch" | "optimizer" | "loss" | "loss_options" | "from_logits" | "seed"
>;

export interface TrainingBytes {
  readonly topology: ArrayBuffer;
  readonly checkpoint: ArrayBuffer;
  readonly tensors: ArrayBuffer;
}

async function toHost(value: Tensor): Promise<HostTensor> {
  return { shape: value.shape, data: Float32Array.from((await value.data()) as Float32Array) };
}

/** Open a variable; TF.js keeps the tensor that it starts from unless told otherwise. */
function variableOf(start: () => Tensor): Variable {
  return tidy(() => keep(variable(start(), false)) as Variable);
}

export class Training {
  private readonly recipe: Recipe;
  private readonly network: Network;
  private readonly optimizer: OpenOptimizer;
  private readonly x: Tensor;
  private readonly y: Tensor;
  private readonly w: Tensor1D | null;
  private readonly accumulators: Variable;
  private order: { readonly epoch: number; readonly rows: Int32Array } | null = null;
  private iteration: number;
  private finished: number;
  private plateau: PlateauState | null;
  /** The step up to which the plateau schedule has seen epochs end. */
  private decided: number;

  private constructor(recipe: Recipe, network: Network, data: ReadonlyMap<string, HostTensor>, state: State) {
    const x = data.get("x");
    const y = data.get("y");
    if (x?.shape[0] !== recipe.rows || y?.shape[0] !== recipe.rows) {
      throw new BadTensors(`x and y should have ${recipe.rows} rows each`);
    }
    const w = data.get("w");
    if (w !== undefined && (w.shape.length !== 1 || w.shape[0] !== recipe.rows)) {
      throw new BadTensors(`w should be ${recipe.rows} weights`);
    }
    setWeights(network, state.weights);
    this.recipe = recipe;
    this.network = network;
    this.optimizer = openOptimizer(network, recipe.optimizer, state);
    this.x = tensor(x.data, [...x.shape], x.data instanceof Int32Array ? "int32" : "float32");
    this.y = tensor(y.data, [...y.shape], y.data instanceof Int32Array ? "int32" : "float32");
    this.w = w === undefined ? null : tensor1d(w.data, "float32");
    this.accumulators = variableOf(() => tensor1d([state.lossSum, state.lossRows]));
    this.iteration = state.iteration;
    this.finished = state.step;
    this.plateau = state.plateau ?? null;
    this.decided = state.step;
  }

  /** Open a unit on the present backend. */
  static async open(recipe: Recipe, bytes: TrainingBytes): Promise<Training> {
    const network = await openNetwork(bytes.topology);
    try {
      const data = readSafetensors(bytes.tensors).tensors;
      return new Training(recipe, network, data, readCheckpoint(bytes.checkpoint));
    } catch (problem) {
      network.model.dispose();
      throw problem;
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

  /** Train on the next batch. On a GPU the work is only handed over; `loss` waits for it. */
  advance(): void {
    const { steps_per_epoch: steps, batch_size: size, rows } = this.recipe;
    const batch = this.finished % steps;
    // Read back only where somebody waits: WebGPU cannot be read at once.
    if (this.undecided) throw new Error("await the epoch's loss before the next step");
    const rate = rateAt(this.recipe.optimizer, steps, this.iteration, this.plateau);
    const epoch = this.epoch;
    if (this.order?.epoch !== epoch) {
      this.order = { epoch, rows: epochOrder(this.recipe.seed, epoch, rows) };
    }
    const indices = this.order.rows.subarray(batch * size, Math.min((batch + 1) * size, rows));
    place.seed = this.recipe.seed;
    place.step = this.finished;
    tidy(() => {
      const rowsOfBatch = tensor1d(indices, "int32");
      const x = gather(this.x, rowsOfBatch);
      const y = gather(this.y, rowsOfBatch);
      const w = this.w === null ? null : gather(this.w, rowsOfBatch);
      const { grads, total } = this.gradients(x, y, w);
      this.iteration += 1;
      this.optimizer.step(grads, this.iteration, rate);
      const sums = concat([reshape(total, [1]), tensor1d([indices.length])]);
      // An epoch's sums stay readable until the next one starts.
      this.accumulators.assign(batch === 0 ? sums : add(this.accumulators, sums));
      total.dispose();
    });
    this.finished += 1;
  }

  /** Wait for all steps so far, and give the mean row loss of the present (or just finished) epoch. */
  async loss(): Promise<number> {
    return this.decide(await this.accumulators.data());
  }

  /** Read the whole state back. */
  async state(): Promise<State> {
    const weights = new Map<string, HostTensor>();
    for (const [name, weight] of this.network.weights) weights.set(name, await toHost(weight.read()));
    const slots = await this.optimizer.slots();
    const sums = await this.accumulators.data();
    this.decide(sums);
    const [lossSum = 0, lossRows = 0] = sums;
    const { iteration, epoch, step, plateau } = this;
    return { weights, slots, iteration, lossSum, lossRows, epoch, step, plateau };
  }

  dispose(): void {
    this.network.model.dispose();
    this.optimizer.dispose();
    dispose([this.x, this.y, this.accumulators, ...(this.w === null ? [] : [this.w])]);
  }

  /** Whether an epoch has ended that a plateau schedule has not seen: `loss` or `state` show it, before a next step. */
  get undecided(): boolean {
    const { optimizer, steps_per_epoch: steps } = this.recipe;
    return optimizer.schedule?.name === "plateau" && this.finished > this.decided && this.finished % steps === 0;
  }

  /** Give the mean row loss of the epoch's sums, and let a plateau schedule see it once the epoch ended. */
  private decide([total = 0, rows = 0]: ArrayLike<number> & Iterable<number>): number {
    const loss = rows === 0 ? 0 : total / rows;
    const { schedule, learning_rate: rate } = this.recipe.optimizer;
    if (this.undecided && schedule?.name === "plateau") {
      this.plateau = afterEpoch(schedule, rate, this.plateau, loss);
      this.decided = this.finished;
    }
    return loss;
  }

  /** Gradients of the mean loss and the penalties by `layer/weight`, and the sum of row losses. */
  private gradients(
    x: Tensor,
    y: Tensor,
    w: Tensor1D | null,
  ): { grads: ReadonlyMap<string, Tensor>; total: Tensor } {
    let total: Tensor | null = null;
    const { model } = this.network;
    const lossOf = (): Scalar => {
      const outputs = model.apply(x, { training: true }) as Tensor;
      const { loss, loss_options: told, from_logits: logits } = this.recipe;
      const rows = weighted(rowLosses(loss, y, outputs, logits, told), w);
      // Kept: TF.js disposes of what the forward pass does not return.
      total = keep(sum(rows));
      const penalties = model.calculateLosses();
      return penalties.reduce((loss, penalty) => add(loss, penalty), mean(rows) as Scalar);
    };
    const names = [...this.network.trainable];
    const variables = names.map((name) => this.network.weightOf(name).read() as Variable);
    const found = variableGrads(lossOf, variables).grads;
    if (total === null) throw new Error("the loss was not computed");
    const grads = new Map<string, Tensor>();
    variables.forEach((variable, index) => {
      const gradient = found[variable.name];
      if (gradient !== undefined) grads.set(names[index] ?? "", gradient);
    });
    return { grads, total };
  }
}
