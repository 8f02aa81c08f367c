/**
 * WebGL and WebGPU: a whole sequence through a recurrent cell as one kernel, and one for its gradient. A step
 * is a product and a program of the gates forward, and two programs and a product back. WebGPU has the
 * products in programs; WebGL's own, in a layout of theirs, fetch a quarter as often.
 */

import { getKernel, type KernelConfig, type KernelFunc, registerKernel, type TensorInfo } from "@tensorflow/tfjs-core";
import { type Program, runProgram } from "../programs";
import { backProgram, copyProgram, GPU_CELLS, innerProgram, lastProgram, partProgram, slopesProgram, stateProgram } from "./cells_gpu";
import type { CellName } from "./cells_host";
import { RECURRENCE, RECURRENCE_GRADIENT } from "./names";

interface Attributes {
  readonly cell: CellName;
  readonly length: number;
  readonly sequences: boolean;
}

type Inputs = Readonly<Record<string, TensorInfo>>;

interface Disposing {
  disposeData(dataId: object): boolean;
}

/** Programs and kernels of one call, by a backend. */
class Call {
  private readonly backendName: string;
  private readonly backend: unknown;
  /** WebGL's products have a layout of their own. */
  readonly packs: boolean;

  constructor(backendName: string, backend: unknown) {
    this.backendName = backendName;
    this.backend = backend;
    this.packs = backendName === "webgl";
  }

  run(program: Program, inputs: readonly TensorInfo[], constants: readonly number[] = []): TensorInfo {
    return runProgram(this.backendName, this.backend, program, inputs, constants);
  }

  kernel(name: string, inputs: object, attrs: object): TensorInfo {
    const { kernelFunc } = getKernel(name, this.backendName) as KernelConfig & { kernelFunc: KernelFunc };
    return kernelFunc({ inputs: inputs as never, attrs: attrs as never, backend: this.backend as object }) as TensorInfo;
  }

  forget(...tensors: TensorInfo[]): void {
    for (const { dataId } of tensors) (this.backend as Disposing).disposeData(dataId);
  }

  /** Put one part of every step's [parts, rows, columns] one after another: [steps * rows, columns]. */
  gathered(steps: readonly TensorInfo[], part: number): TensorInfo {
    const [parts = 1, rows = 1, columns = 1] = steps[0]?.shape ?? [];
    // In one axis: of matrices, WebGL would change every one's layout first.
    const flat = steps.map((step) => ({ ...step, shape: [parts * rows * columns] }));
    const all = this.kernel("Concat", flat, { axis: 0 });
    const shaped = { ...all, shape: [steps.length, parts, rows * columns] };
    const found = this.run(partProgram(steps.length, rows, columns, part), [shaped]);
    this.forget(all);
    return found;
  }

  /** A matrix as programs read it. Not laid out so, WebGL would do it in every step again. */
  plain(matrix: TensorInfo): TensorInfo {
    return this.packs ? this.run(copyProgram(matrix.shape, false), [matrix]) : { ...matrix };
  }

  forgetPlain(matrix: TensorInfo): void {
    if (this.packs) this.forget(matrix);
  }

  /** One part of [parts, rows, columns] times a matrix, as WebGL's products leave it. */
  product(parts: TensorInfo, part: number, matrix: TensorInfo, transposeB: boolean): TensorInfo {
    const [, rows = 1, columns = 1] = parts.shape;
    const x = this.kernel("Slice", { x: parts }, { begin: [part, 0, 0], size: [1, rows, columns] });
    const a = { ...x, shape: [rows, columns] };
    const made = this.kernel("BatchMatMul", { a, b: matrix }, { transposeA: false, transposeB });
    this.forget(x);
    return made;
  }

  zeros(shape: readonly number[]): TensorInfo {
    return this.kernel("Fill", {}, { shape, value: 0, dtype: "float32" });
  }
}

/** What the last output gives to the gates: [rows, gates * units]. */
function inner(call: Call, state: TensorInfo, recurrent: TensorInfo, bias: readonly TensorInfo[]): TensorInfo {
  const [, rows = 1, units = 1] = state.shape;
  const wide = recurrent.shape[1] ?? 0;
  if (!call.packs) return call.run(innerProgram({ rows, units }, wide, bias.length > 0), [state, recurrent, ...bias]);
  const product = call.product(state, 0, recurrent, false);
  const found = call.run(copyProgram([rows, wide], bias.length > 0), [product, ...bias]);
  call.forget(product);
  return found;
}

/** [output, output before each step, states before all steps, what those gave to the gates]. */
function walk(inputs: Inputs, { cell: name, length, sequences }: Attributes, call: Call): TensorInfo[] {
  const { given, recurrent } = inputs as Record<"given" | "recurrent", TensorInfo>;
  const bias = inputs["bias"] === undefined ? [] : [inputs["bias"]];
  const units = recurrent.shape[0] ?? 0;
  const sizes = { rows: (given.shape[0] ?? 0) / length, units };
  const p = call.plain(given);
  const states = [call.zeros([GPU_CELLS[name].states, sizes.rows, units])];
  const inners: TensorInfo[] = [];
  for (let step = 0; step < length; step++) {
    const state = states[step] as TensorInfo;
    const from = inner(call, state, recurrent, bias);
    inners.push(from);
    states.push(call.run(stateProgram(name, sizes), [p, from, state], [step]));
  }
  const output = call.gathered(sequences ? states.slice(1) : states.slice(-1), 0);
  call.forget(...states.splice(-1));
  call.forgetPlain(p);
  const whole = [length, sizes.rows, units];
  const before = { ...call.gathered(states, 0), shape: whole };
  return [sequences ? { ...output, shape: whole } : output, before, ...states, ...inners];
}

/** Gradients by what the input gave to the gates, and by what the last outputs did: [length * rows, gates * units]. */
function walkBack(inputs: Inputs, { cell: name, length, sequences }: Attributes, call: Call): TensorInfo[] {
  const { dy, given, recurrent } = inputs as Record<"dy" | "given" | "recurrent", TensorInfo>;
  const kept = (index: number): TensorInfo => inputs[`kept${index}`] as TensorInfo;
  const units = recurrent.shape[0] ?? 0;
  const rows = (given.shape[0] ?? 0) / length;
  const sizes = { rows, units };
  const byInner = GPU_CELLS[name].apart ? 1 : 0;
  const y = call.plain({ ...dy, shape: [sequences ? length * rows : rows, units] });
  const p = call.plain(given);
  const slopes: TensorInfo[] = [];
  let d = call.run(lastProgram(name, sizes, sequences ? (length - 1) * rows : 0), [y]);
  for (let step = length - 1; step >= 0; step--) {
    const here = [p, kept(length + step), kept(step), d];
    const slope = call.run(slopesProgram(name, sizes), here, [step]);
    slopes.unshift(slope);
    if (step === 0) break;
    const through = call.packs ? [call.product(slope, byInner, recurrent, true)] : [slope, recurrent];
    const program = backProgram(name, sizes, sequences, call.packs);
    const before = call.run(program, [...here, ...through, ...(sequences ? [y] : [])], [step]);
    call.forget(d, ...(call.packs ? through : []));
    d = before;
  }
  const dgiven = call.gathered(slopes, 0);
  const dinner = call.gathered(slopes, byInner);
  call.forget(d, ...slopes);
  call.forgetPlain(y);
  call.forgetPlain(p);
  return [dgiven, dinner];
}

/** Let WebGL or WebGPU walk whole sequences; does nothing the second time. */
export function registerRecurrenceOnGpu(backendName: string): void {
  if ((getKernel(RECURRENCE, backendName) as KernelConfig | undefined) !== undefined) return;
  for (const [kernelName, work] of [[RECURRENCE, walk], [RECURRENCE_GRADIENT, walkBack]] as const) {
    registerKernel({
      kernelName,
      backendName,
      kernelFunc: ({ inputs, attrs, backend }) =>
        work(inputs as Inputs, attrs as unknown as Attributes, new Call(backendName, backend)),
    });
  }
}
