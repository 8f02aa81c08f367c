/** `window.potluckCheck` for tests in a real browser: one Worker for each backend, as a tab has one. */

import type { CheckAnswer, CheckRequest, CheckUnit } from "../engine/check_messages";
import type { BrowserBackend } from "../engine/messages";
import type { Unit } from "../protocol/messages";
import { endure, type Endured } from "./endurance";

type Answer = { readonly answer: CheckAnswer } | { readonly problem: string };

/** Bytes travel as base64 between Python and the page. */
interface AskedUnit extends Omit<CheckUnit, "bytes"> {
  readonly topology: string;
  readonly checkpoint: string;
  readonly tensors: string;
}

/** Units one after another in the engine's own Worker. */
interface AskedLong {
  readonly backend: BrowserBackend;
  readonly unit: Unit;
  readonly topology: string;
  readonly checkpoint: string;
  readonly tensors: string;
  readonly looks: readonly number[];
  readonly settle: boolean;
}

interface Asked extends AskedUnit, Omit<CheckRequest, keyof CheckUnit | "companions"> {
  readonly companions: readonly AskedUnit[];
}

interface Told extends Omit<CheckAnswer, "checkpoint" | "companions"> {
  readonly checkpoint: string;
  readonly companions: readonly string[];
}

declare global {
  interface Window {
    potluckCheck?: {
      readonly train: (asked: Asked) => Promise<Told>;
      readonly endure: (asked: AskedLong) => Promise<Endured>;
    };
  }
}

function fromBase64(text: string): ArrayBuffer {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0)).buffer;
}

function toBase64(bytes: ArrayBuffer): string {
  return btoa(Array.from(new Uint8Array(bytes), (byte) => String.fromCharCode(byte)).join(""));
}

const kept = new Map<BrowserBackend, Worker>();

/** What breaks its Worker for others has one of its own. */
function keeps({ breakKernel, halfFloats, fit, weigh }: CheckRequest): boolean {
  return breakKernel === null && !halfFloats && fit.length === 0 && !weigh;
}

async function ask(request: CheckRequest): Promise<CheckAnswer> {
  const { backend } = request;
  const worker =
    (keeps(request) ? kept.get(backend) : undefined) ??
    new Worker(new URL("../engine/check.ts", import.meta.url), { type: "module" });
  kept.delete(backend);
  try {
    const answer = await answerOf(worker, request);
    if (keeps(request)) kept.set(backend, worker);
    return answer;
  } finally {
    if (kept.get(backend) !== worker) worker.terminate();
  }
}

function answerOf(worker: Worker, request: CheckRequest): Promise<CheckAnswer> {
  return new Promise<CheckAnswer>((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<Answer>) => {
      if ("answer" in data) resolve(data.answer);
      else reject(new Error(data.problem));
    };
    worker.onerror = (event) => reject(new Error(event.message));
    worker.postMessage(request);
  });
}

function unitOf({ recipe, topology, checkpoint, tensors }: AskedUnit): CheckUnit {
  const bytes = {
    topology: fromBase64(topology),
    checkpoint: fromBase64(checkpoint),
    tensors: fromBase64(tensors),
  };
  return { recipe, bytes };
}

window.potluckCheck = {
  train: async (asked) => {
    const { backend, byKernels, toStep, breakKernel, judge, measure, weigh, halfFloats, fit } = asked;
    const companions = asked.companions.map(unitOf);
    const answer = await ask({
      ...unitOf(asked),
      ...{ backend, byKernels, toStep, breakKernel, judge, measure, weigh, halfFloats, fit, companions },
    });
    return { ...answer, checkpoint: toBase64(answer.checkpoint), companions: answer.companions.map(toBase64) };
  },
  endure: ({ backend, unit, looks, settle, topology, checkpoint, tensors }) => {
    const bytes = { topology: fromBase64(topology), start: fromBase64(checkpoint), tensors: fromBase64(tensors) };
    return endure(backend, { leaseId: "", unit, resume: null, ...bytes }, looks, settle);
  },
};
