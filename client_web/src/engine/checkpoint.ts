/** A checkpoint as the protocol has it, and the training state that it stands for. */

import type { PlateauState } from "./schedules/plateau";
import { BadTensors, type HostTensor, readSafetensors, writeSafetensors } from "./safetensors";

export const FORMAT = "potluck.checkpoint.v1";
const PLATEAU = "optimizer/plateau";

/** Everything that training needs to go on elsewhere. Weights are named `layer/weight`. */
export interface State {
  readonly weights: ReadonlyMap<string, HostTensor>;
  /** Slot name -> weight name -> values; a missing slot means its initial value. */
  readonly slots: ReadonlyMap<string, ReadonlyMap<string, HostTensor>>;
  /** Steps that the optimizer has taken. */
  readonly iteration: number;
  /** This epoch's sum of row losses, and its rows so far. */
  readonly lossSum: number;
  readonly lossRows: number;
  readonly epoch: number;
  readonly step: number;
  /** Of a schedule that has one, after an epoch. */
  readonly plateau?: PlateauState | null;
}

/** Say whether every weight is a number. */
export function isFinite({ weights }: Pick<State, "weights">): boolean {
  return [...weights.values()].every(({ data }) => data.every((value) => Number.isFinite(value)));
}

/** Give a weight's or slot's values as float32, whatever they came as. */
function floats(tensor: HostTensor): HostTensor {
  if (tensor.data instanceof Float32Array) return tensor;
  return { shape: tensor.shape, data: Float32Array.from(tensor.data) };
}

/** Write a state canonically: equal states have equal bytes. Every weight and every slot is float32. */
export function writeCheckpoint(state: State): ArrayBuffer {
  const tensors = new Map<string, HostTensor>();
  for (const [name, tensor] of state.weights) tensors.set(`weights/${name}`, floats(tensor));
  for (const [slot, values] of state.slots) {
    for (const [name, tensor] of values) tensors.set(`optimizer/${slot}/${name}`, floats(tensor));
  }
  tensors.set("optimizer/iteration", { shape: [1], data: Int32Array.of(state.iteration) });
  if (state.plateau !== undefined && state.plateau !== null) {
    const { rate, best, wait, cooldown } = state.plateau;
    tensors.set(PLATEAU, { shape: [4], data: Float32Array.of(rate, best, wait, cooldown) });
  }
  const accumulators = Float32Array.of(state.lossSum, state.lossRows);
  tensors.set("accumulators/loss", { shape: [2], data: accumulators });
  const metadata = { epoch: String(state.epoch), format: FORMAT, step: String(state.step) };
  return writeSafetensors({ metadata, tensors });
}

function wholeNumber(text: string | undefined, what: string): number {
  const value = Number(text);
  if (text === undefined || !Number.isSafeInteger(value) || value < 0) {
    throw new BadTensors(`${what} is ${text ?? "missing"} instead of a whole number`);
  }
  return value;
}

function plateauOf(numbers: HostTensor | undefined): PlateauState | null {
  if (numbers === undefined) return null;
  const [rate = 0, best = 0, wait = 0, cooldown = 0] = numbers.data;
  return { rate, best, wait, cooldown };
}

/** Read a state; raises BadTensors where the bytes are no checkpoint. */
export function readCheckpoint(bytes: ArrayBuffer): State {
  const { metadata, tensors } = readSafetensors(bytes);
  if (metadata["format"] !== FORMAT) {
    throw new BadTensors(`format is ${metadata["format"] ?? "missing"} instead of ${FORMAT}`);
  }
  const weights = new Map<string, HostTensor>();
  const slots = new Map<string, Map<string, HostTensor>>();
  for (const [key, tensor] of tensors) {
    const [area, slot = "", ...rest] = key.split("/");
    if (area === "weights") weights.set([slot, ...rest].join("/"), tensor);
    if (area !== "optimizer" || rest.length === 0) continue;
    const values = slots.get(slot) ?? new Map<string, HostTensor>();
    slots.set(slot, values.set(rest.join("/"), tensor));
  }
  const loss = tensors.get("accumulators/loss")?.data;
  const step = wholeNumber(metadata["step"], "step");
  return {
    weights,
    slots,
    iteration: tensors.get("optimizer/iteration")?.data[0] ?? step,
    lossSum: loss?.[0] ?? 0,
    lossRows: loss?.[1] ?? 0,
    epoch: wholeNumber(metadata["epoch"], "epoch"),
    step,
    plateau: plateauOf(tensors.get(PLATEAU)),
  };
}
