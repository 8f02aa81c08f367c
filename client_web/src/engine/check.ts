/**
 * A Worker that trains units on a named backend and gives their weights: tests compare backends by it.
 * It can also make one kernel wrong, to show that the comparison would notice.
 */

import { engine, memory, mul, profile, type Tensor, type TensorInfo } from "@tensorflow/tfjs-core";
import type { Unit } from "../protocol/messages";
import { type OnLost, useBackend } from "./backends";
import { type State, writeCheckpoint } from "./checkpoint";
import type { CheckAnswer, CheckRequest } from "./check_messages";
import { openBench } from "./choice";
import { Fitting, openFittingBench } from "./fitting";
import { replaceKernel } from "./kernels/registry";
import { trainsRightly } from "./known_answer";
import type { BrowserBackend, Fit } from "./messages";
import { tf } from "./own_tf";
import { measureSpeed } from "./speed";
import { openByKernels, openUnit, type Party } from "./stacked/party";
import { StackedTraining } from "./stacked/training";

const scope = self as unknown as DedicatedWorkerGlobalScope;

function makeWrong(kernel: string, backend: BrowserBackend): void {
  replaceKernel<unknown>(tf, kernel, backend, (stock) => {
    if (stock === null) throw new Error(`${backend} has no kernel ${kernel}`);
    const spoilt = (result: TensorInfo): TensorInfo =>
      mul("rank" in result ? (result as Tensor) : engine().makeTensorFromTensorInfo(result), 1.01);
    return (call) => {
      const found: TensorInfo | TensorInfo[] = stock(call);
      return (Array.isArray(found) ? found.map(spoilt) : spoilt(found)) as TensorInfo;
    };
  });
}

/** Bytes of memory that WASM was given since `weighMemory`. */
let given = 0;

function weighMemory(): void {
  const Stock = WebAssembly.Memory;
  WebAssembly.Memory = class extends Stock {
    constructor(size: WebAssembly.MemoryDescriptor) {
      super(size);
      given += this.buffer.byteLength;
    }
  };
}

async function heaviest(party: Party): Promise<number> {
  const { peakBytes } = await profile(() => {
    party.advance();
    return [];
  });
  // Without a kernel there is no peak.
  return given + (Number.isFinite(peakBytes) ? peakBytes : 0);
}

/** Train alone, or together with companions where there are any. */
async function trained(
  { recipe, bytes, companions, toStep, byKernels, weigh }: CheckRequest,
  weighed: (bytes: number) => void,
): Promise<readonly State[]> {
  if (weigh) weighMemory();
  const together = companions.length > 0;
  const alone = byKernels ? openByKernels : openUnit;
  const party = together ? await StackedTraining.open([{ recipe, bytes }, ...companions]) : await alone(recipe, bytes);
  if (weigh) weighed(await heaviest(party));
  while (party.step < toStep) {
    // A schedule may wait for what an epoch lost.
    if (party.step % recipe.steps_per_epoch === 0) await party.losses();
    party.advance();
  }
  const states = await party.states();
  party.dispose();
  return states;
}

/** Be a device whose WebGL has no textures of 32 bits. */
function forgetFloats(): void {
  const stock = WebGL2RenderingContext.prototype.getExtension as (name: string) => unknown;
  WebGL2RenderingContext.prototype.getExtension = function (this: WebGL2RenderingContext, name: string) {
    return name === "EXT_color_buffer_float" ? null : stock.call(this, name);
  } as typeof WebGL2RenderingContext.prototype.getExtension;
}

/** Choose a backend for the unit among those named; the second time the kind is known. */
async function fitTwice({ fit, recipe, bytes }: CheckRequest, onLost: OnLost): Promise<Fit[]> {
  const fitting = new Fitting(openFittingBench(openBench(() => onLost), [], true), fit, {});
  const { topology, tensors, checkpoint } = bytes;
  const unit = { ...recipe, from_epoch: 0, to_epoch: 1, flops: "1000000" } as Unit;
  const job = { leaseId: "check", unit, topology, tensors, start: checkpoint, resume: null };
  return [await fitting.fit(job), await fitting.fit(job)];
}

async function check(request: CheckRequest): Promise<CheckAnswer> {
  const { backend } = request;
  if (request.halfFloats) forgetFloats();
  const onLost = (reason: string): void => {
    throw new Error(reason);
  };
  const fits = request.fit.length > 0 ? await fitTwice(request, onLost) : [];
  if (engine().backendName !== backend) await useBackend(backend, { forced: true, onLost });
  if (request.breakKernel !== null) makeWrong(request.breakKernel, backend);
  const before = memory().numTensors;
  let weighed: number | null = null;
  const [state, ...others] = await trained(request, (found) => (weighed = found));
  const leaked = memory().numTensors - before;
  if (state === undefined) throw new Error("nothing was trained");
  const [checkpoint, companions] = [writeCheckpoint(state), others.map(writeCheckpoint)];
  const samplesPerSecond = request.measure ? await measureSpeed() : null;
  const knownAnswer = request.judge ? await trainsRightly() : null;
  return { checkpoint, companions, leaked, knownAnswer, samplesPerSecond, fits, bytes: weighed };
}

scope.onmessage = (event: MessageEvent<CheckRequest>) => {
  check(event.data).then(
    (answer) => scope.postMessage({ answer }),
    (problem: unknown) => scope.postMessage({ problem: String(problem) }),
  );
};
