/**
 * CPU and WASM: a whole sequence through a recurrent cell as one kernel, and one for its gradient. A step is
 * one product by the backend and one pass of JavaScript over the gates.
 */

import { engine, getKernel, type KernelConfig, type KernelFunc, registerKernel, type TensorInfo } from "@tensorflow/tfjs-core";
import { emptyTensor, valuesOf } from "../host_memory";
import { type CellName, HOST_CELLS } from "./cells_host";
import { RECURRENCE, RECURRENCE_GRADIENT } from "./names";

interface Disposing {
  disposeData(dataId: object): boolean;
}

type Multiply = (a: TensorInfo, b: TensorInfo) => TensorInfo;

function floats(tensor: TensorInfo): Float32Array {
  return valuesOf(tensor) as Float32Array;
}

function filled(shape: readonly number[], value: number): TensorInfo {
  const made = emptyTensor(shape);
  floats(made).fill(value);
  return made;
}

function forget(tensor: TensorInfo): void {
  (engine().backend as unknown as Disposing).disposeData(tensor.dataId);
}

/** Give one step's part of an array of `length` steps. */
function part(tensor: TensorInfo, step: number, size: number): Float32Array {
  return floats(tensor).subarray(step * size, (step + 1) * size);
}

interface Attributes {
  readonly cell: CellName;
  readonly length: number;
  readonly sequences: boolean;
}

/** From [length * rows, gates * units]: [output, output before each step, what is kept]. */
function walk(inputs: Readonly<Record<string, TensorInfo>>, attributes: Attributes, multiply: Multiply): TensorInfo[] {
  const { given, recurrent } = inputs as Record<"given" | "recurrent", TensorInfo>;
  const bias = inputs["bias"];
  const { cell: name, length, sequences } = attributes;
  const cell = HOST_CELLS[name];
  const [units = 0, wide = 0] = recurrent.shape;
  const rows = (given.shape[0] ?? 0) / length;
  const size = rows * units;
  const before = emptyTensor([length, rows, units]);
  const kept = emptyTensor([length, rows, cell.kept * units]);
  const output = emptyTensor(sequences ? [length, rows, units] : [rows, units]);
  const state = filled([rows, units], 0);
  const carry = new Float32Array(size);
  // Before the first step there is no output, and nothing to multiply.
  const nothing = new Float32Array(rows * wide);
  for (let step = 0; step < length; step++) {
    const product = step === 0 ? null : multiply(state, recurrent);
    // Views are taken after every allocation: WASM's memory moves when it grows.
    const h = floats(state);
    const old = part(before, step, size);
    old.set(h);
    cell.forward({
      rows,
      units,
      given: part(given, step, rows * wide),
      inner: product === null ? nothing : floats(product),
      bias: bias === undefined ? nothing : floats(bias),
      before: old,
      carry,
      h,
      kept: part(kept, step, size * cell.kept),
    });
    if (sequences) part(output, step, size).set(h);
    else if (step === length - 1) floats(output).set(h);
    if (product !== null) forget(product);
  }
  forget(state);
  return [output, before, kept];
}

/** Gradients by what the input gave to the gates, and by what the last outputs did: [length * rows, gates * units]. */
function walkBack(
  inputs: Readonly<Record<string, TensorInfo>>,
  attributes: Attributes,
  multiply: Multiply,
  transpose: (x: TensorInfo) => TensorInfo,
): TensorInfo[] {
  const { dy, before, kept0: kept, recurrent } = inputs as Record<"dy" | "before" | "kept0" | "recurrent", TensorInfo>;
  const { cell: name, length, sequences } = attributes;
  const cell = HOST_CELLS[name];
  const [units = 0, wide = 0] = recurrent.shape;
  const rows = before.shape[1] ?? 0;
  const size = rows * units;
  const across = transpose(recurrent);
  const dgiven = emptyTensor([length * rows, wide]);
  const dinner = emptyTensor([length * rows, wide]);
  const behind = emptyTensor([rows, wide]);
  const [dh, dcarry] = [new Float32Array(size), new Float32Array(size)];
  for (let step = length - 1; step >= 0; step--) {
    if (sequences || step === length - 1) {
      const own = sequences ? part(dy, step, size) : floats(dy);
      for (let i = 0; i < size; i++) dh[i] = (dh[i] as number) + (own[i] as number);
    }
    const slopes = part(dinner, step, rows * wide);
    cell.backward({
      rows,
      units,
      before: part(before, step, size),
      kept: part(kept, step, size * cell.kept),
      dh,
      dcarry,
      dgiven: part(dgiven, step, rows * wide),
      dinner: slopes,
    });
    if (step === 0) break;
    floats(behind).set(slopes);
    const product = multiply(behind, across);
    const through = floats(product);
    for (let i = 0; i < size; i++) dh[i] = (dh[i] as number) + (through[i] as number);
    forget(product);
  }
  forget(behind);
  forget(across);
  return [dgiven, dinner];
}

/** Let CPU or WASM, loaded and mended, walk whole sequences; does nothing the second time. */
export function registerRecurrenceOnHost(backendName: string): void {
  if ((getKernel(RECURRENCE, backendName) as KernelConfig | undefined) !== undefined) return;
  const own = (kernelName: string, backend: unknown) => {
    const { kernelFunc } = getKernel(kernelName, backendName) as KernelConfig & { kernelFunc: KernelFunc };
    return (inputs: Record<string, TensorInfo>, attrs: Record<string, boolean | number[]>): TensorInfo =>
      kernelFunc({ inputs, attrs, backend: backend as object }) as TensorInfo;
  };
  const multiplyOn = (backend: unknown): Multiply => {
    const run = own("BatchMatMul", backend);
    return (a, b) => run({ a, b }, { transposeA: false, transposeB: false });
  };
  registerKernel({
    kernelName: RECURRENCE,
    backendName,
    kernelFunc: ({ inputs, attrs, backend }) =>
      walk(inputs as Record<string, TensorInfo>, attrs as unknown as Attributes, multiplyOn(backend)),
  });
  registerKernel({
    kernelName: RECURRENCE_GRADIENT,
    backendName,
    kernelFunc: ({ inputs, attrs, backend }) => {
      const transpose = (x: TensorInfo): TensorInfo => own("Transpose", backend)({ x }, { perm: [1, 0] });
      return walkBack(inputs as Record<string, TensorInfo>, attrs as unknown as Attributes, multiplyOn(backend), transpose);
    },
  });
}
