/** A stack on a GPU: products of many matrices, and a few programs between them; nothing of TF.js's gradients. */

import { dispose, keep, reshape, type Tensor, tensor, tidy } from "@tensorflow/tfjs-core";
import { RELU } from "./activations";
import { activationLayer, affineLayer, type DeviceLayer, denseLayer, dropoutLayer, normalizationLayer, softmaxLayer } from "./device_layers";
import { type DeviceLoss, deviceLoss } from "./device_losses";
import { run } from "./device_programs";
import { DeviceState } from "./device_state";
import { convolutionLayer, poolLayer } from "./device_windows";
import { Factors } from "./dropout";
import { type Batch, type Machine, type StackTask, type UnitState } from "./machine";
import { CannotStack, type Step } from "./plan";

/** Gradients and activations of a step, in floats: units of more train one after another. */
const MOST_FLOATS = 1 << 26;

export class DeviceMachine implements Machine {
  private readonly task: StackTask;
  private readonly units: number;
  private readonly weights: DeviceState;
  private readonly layers: readonly DeviceLayer[];
  /** Whether a step's input is to have a gradient. */
  private readonly wanted: readonly boolean[];
  private readonly loss: DeviceLoss;
  private readonly x: Tensor;
  private readonly y: Tensor;
  private totals: Tensor;
  private order: { readonly rows: readonly Int32Array[]; readonly tensor: Tensor } | null = null;

  constructor(task: StackTask) {
    const { plan, states, parameters, batchSize, seeds } = task;
    this.units = states.length;
    const last = plan.steps.at(-1);
    const afterSoftmax = last?.kind === "softmax" && task.loss === "sparse_categorical_crossentropy" && !task.fromLogits;
    const steps = afterSoftmax ? plan.steps.slice(0, -1) : plan.steps;
    const outputs = plan.sizes.at(-1) ?? 0;
    const loss = deviceLoss(task.loss, task.fromLogits, afterSoftmax, outputs);
    if (loss === null) throw new CannotStack(`loss ${task.loss} after ${last?.kind ?? "nothing"}`);
    const patches = plan.steps.map((step) =>
      step.kind === "convolution" ? step.window.height * step.window.width * step.window.channels * step.window.outHeight * step.window.outWidth : 0,
    );
    const floats = 2 * batchSize * this.units * [...plan.sizes, ...patches].reduce((sum, size) => sum + size, 0);
    if (floats > MOST_FLOATS) throw new CannotStack("together they need too much memory");
    let trains = false;
    this.wanted = steps.map((step) => {
      const before = trains;
      const names = "kernel" in step ? [step.kernel, step.bias] : step.kind === "normalization" ? [step.gamma, step.beta] : [];
      trains ||= names.some((name) => name !== null && parameters.trainable.includes(name));
      return before;
    });
    if (!trains) throw new CannotStack("nothing of the network trains");
    this.task = task;
    this.loss = loss;
    this.layers = steps.map((step, index) => layerOf(step, steps[index - 1], steps[index + 1], plan.sizes[index + 1] ?? 0, seeds, batchSize));
    this.weights = new DeviceState(task);
    const rows = task.x.length / (plan.sizes[0] ?? 1);
    this.x = tensor(task.x, [rows, plan.sizes[0] ?? 1]);
    this.y = tensor(Float32Array.from(task.y), [rows, task.y.length / rows]);
    this.totals = tensor(states.flatMap(({ lossSum, lossRows }) => [lossSum, lossRows]), [this.units, 2]);
  }

  step(batch: Batch): void {
    const { rows, step, iterations, first } = batch;
    this.follow(batch);
    tidy(() => {
      const order = this.order?.tensor;
      if (order === undefined) throw new Error("there is no order");
      const from = [batch.from];
      const own = order.shape[0] === 1 ? "0" : "u";
      let value = run(
        [order.shape[0] ?? 1, rows, this.task.plan.sizes[0] ?? 1],
        { X: this.x, O: order },
        "INT row = toInt(getO(at.x, at.y + toInt(c0)) + 0.5); value = getX(row, at.z);",
        from,
      );
      for (const layer of this.layers) value = layer.forward(value, this.weights, { rows, step });
      const outputs = reshape(value, [this.units, rows, value.size / (this.units * rows)]);
      const rowOf = `INT row = toInt(getO(${own}, b + toInt(c0)) + 0.5);`;
      const given = { Z: outputs, T: this.y, O: order };
      const totals = run(
        [this.units, 2],
        { ...given, A: this.totals },
        `INT u = at.x;
        if (at.y == 1) { value = ${rows}.0; } else { for (INT b = 0; b < ${rows}; b = b + 1) { ${rowOf} ${this.loss.loss} } }
        if (c1 > 0.5) { value = value + getA(at.x, at.y); }`,
        [batch.from, first ? 0 : 1],
      );
      let gradient: Tensor | null = run(
        outputs.shape,
        given,
        `INT u = at.x; INT b = at.y; INT j = at.z; FLOAT rows = ${rows}.0; ${rowOf} ${this.loss.gradient}`,
        from,
      );
      for (let index = this.layers.length - 1; index >= 0 && gradient !== null; index--) {
        gradient = this.layers[index]?.backward(gradient, this.weights, this.wanted[index] ?? false) ?? null;
      }
      this.weights.update(iterations);
      this.totals.dispose();
      this.totals = keep(totals);
    });
  }

  async sums(): Promise<Float32Array> {
    return (await this.totals.data()) as Float32Array;
  }

  async read(): Promise<readonly UnitState[]> {
    const [units, sums] = [await this.weights.readBack(), await this.sums()];
    return units.map((unit, index) => ({ ...unit, lossSum: sums[2 * index] ?? 0, lossRows: sums[2 * index + 1] ?? 0 }));
  }

  dispose(): void {
    this.weights.dispose();
    dispose([this.x, this.y, this.totals]);
    this.order?.tensor.dispose();
  }

  /** Bring an epoch's orders to the device, once. */
  private follow({ epochOrders }: Batch): void {
    if (this.order?.rows === epochOrders) return;
    this.order?.tensor.dispose();
    const rows = epochOrders[0]?.length ?? 0;
    const values = Float32Array.from(epochOrders.flatMap((order) => Array.from(order)));
    this.order = { rows: epochOrders, tensor: tensor(values, [epochOrders.length, rows]) };
  }
}

function layerOf(
  step: Step,
  before: Step | undefined,
  after: Step | undefined,
  size: number,
  seeds: readonly number[],
  batchSize: number,
): DeviceLayer {
  const rectified = after?.kind === "activation" && after.activation === RELU && "bias" in step && step.bias !== null;
  switch (step.kind) {
    case "dense":
      return denseLayer({ ...step, rectified });
    case "convolution":
      return convolutionLayer({ ...step, inputs: step.window.channels, rectified }, batchSize);
    case "pool":
      return poolLayer(step.window, step.most, batchSize);
    case "activation":
      return activationLayer(step.activation, step.activation === RELU && before !== undefined && "bias" in before && before.bias !== null);
    case "softmax":
      return softmaxLayer(step.classes);
    case "dropout":
      return dropoutLayer(new Factors(step.layer, step.rates, seeds, batchSize * size), size);
    case "normalization":
      return normalizationLayer(step);
    case "affine":
      return affineLayer(step.scale, step.offset);
  }
}
