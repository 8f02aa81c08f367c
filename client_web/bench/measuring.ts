/** Data, counting and answering, the same for both sides. */

import { getKernelsForBackend } from "@tensorflow/tfjs-core";
import type { Answer, Ask, Task } from "./messages";

/** One side's training of one task. */
export interface Trainer {
  /** Train one epoch and give its mean loss. */
  epoch(): Promise<number>;
  readonly stepsPerEpoch: number;
}

/** Numbers that look drawn by chance, the same on both sides. */
export function numbers(size: number, scale: number, seed: number): Float32Array<ArrayBuffer> {
  const found = new Float32Array(size);
  let state = seed >>> 0;
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    found[i] = scale * (state / 2 ** 31 - 1);
  }
  return found;
}

export function labels({ rows, classes }: Task): Int32Array<ArrayBuffer> {
  return Int32Array.from(numbers(rows, 1, 7), (value) => Math.min(classes - 1, Math.floor(((value + 1) / 2) * classes)));
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, axis) => product * axis, 1);
}

/** A start from which training neither stands still nor runs away. */
export function startWeights(task: Task): Map<string, { shape: number[]; data: Float32Array<ArrayBuffer> }> {
  const found = Object.entries(task.weights).map(([name, shape], index) => {
    const fanIn = sizeOf(shape.slice(0, -1));
    const data = shape.length === 1 ? new Float32Array(sizeOf(shape)) : numbers(sizeOf(shape), Math.sqrt(3 / fanIn), index + 1);
    return [name, { shape, data }] as const;
  });
  return new Map(found);
}

const NOTHING: Answer = { samples: 0, milliseconds: 0, loss: 0, kernels: 0, launches: 0, byKernel: {} };

let launches = 0;

/** Count what reaches the GPU. */
function countLaunches(): void {
  const counted = (prototype: object, name: string): void => {
    const stock = Reflect.get(prototype, name) as (...values: unknown[]) => unknown;
    Reflect.set(prototype, name, function (this: unknown, ...values: unknown[]) {
      launches += 1;
      return stock.apply(this, values);
    });
  };
  for (const name of ["drawArrays", "drawElements"]) counted(WebGL2RenderingContext.prototype, name);
  if ("GPUComputePassEncoder" in self) {
    for (const name of ["dispatchWorkgroups", "dispatchWorkgroupsIndirect"]) counted(GPUComputePassEncoder.prototype, name);
  }
}

async function counted(trainer: Trainer, backend: string): Promise<Answer> {
  let kernels = 0;
  const by = new Map<string, [number, number]>();
  let depth = 0;
  const restore = getKernelsForBackend(backend).map((config) => {
    const known = config as { kernelFunc: (call: never) => unknown };
    const stock = known.kernelFunc;
    known.kernelFunc = (call) => {
      // A kernel that is made of others counts as one.
      if (depth > 0) return stock(call);
      depth += 1;
      const before = launches;
      try {
        return stock(call);
      } finally {
        depth -= 1;
        kernels += 1;
        const [calls, launched] = by.get(config.kernelName) ?? [0, 0];
        by.set(config.kernelName, [calls + 1, launched + launches - before]);
      }
    };
    return () => (known.kernelFunc = stock);
  });
  launches = 0;
  const loss = await trainer.epoch();
  for (const undo of restore) undo();
  const steps = trainer.stepsPerEpoch;
  const byKernel = Object.fromEntries([...by].map(([name, [calls, launched]]) => [name, [calls / steps, launched / steps] as const]));
  return { ...NOTHING, loss, kernels: kernels / steps, launches: launches / steps, byKernel };
}

async function timed(trainer: Trainer, rows: number, seconds: number): Promise<Answer> {
  const begun = performance.now();
  let epochs = 0;
  let loss: number;
  do {
    loss = await trainer.epoch();
    epochs += 1;
  } while (performance.now() - begun < 1000 * seconds);
  return { ...NOTHING, samples: epochs * rows, milliseconds: performance.now() - begun, loss };
}

/** Answer the page's questions with what `open` makes of a task. */
export function serve(open: (task: Task) => Promise<Trainer>): void {
  countLaunches();
  let task: Task | null = null;
  let trainer: Trainer | null = null;
  const answer = async (ask: Ask): Promise<Answer> => {
    if (ask.type === "open") {
      task = ask.task;
      trainer = await open(task);
      const loss = await trainer.epoch();
      return { ...NOTHING, loss };
    }
    if (task === null || trainer === null) throw new Error("nothing is open");
    return ask.type === "count" ? counted(trainer, task.backend) : timed(trainer, task.rows, ask.seconds);
  };
  self.onmessage = (event: MessageEvent<Ask>) => {
    answer(event.data).then(
      (found) => self.postMessage(found),
      (problem: unknown) => self.postMessage({ problem: problem instanceof Error ? (problem.stack ?? problem.message) : String(problem) }),
    );
  };
}
