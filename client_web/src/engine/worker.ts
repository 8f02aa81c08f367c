/** The engine's Worker: hears ToEngine, says FromEngine. */

import { getBackend } from "@tensorflow/tfjs-core";
import { isLost, keepOnly, Unavailable } from "./backends";
import { chooseBackend, openBench, rightOnes } from "./choice";
import { Fitting, openFittingBench } from "./fitting";
import type { BrowserBackend, FromEngine, Job, ToEngine } from "./messages";
import { type Clock, Runner } from "./runner";
import { steady } from "./steady";

const scope = self as unknown as DedicatedWorkerGlobalScope;

function emit(event: FromEngine): void {
  scope.postMessage(event);
}

/** A channel's message is a task of its own, without the least delay that timers have. */
const breath = new MessageChannel();
const waiting: (() => void)[] = [];
breath.port1.onmessage = () => waiting.shift()?.();

/** No single step of training takes longer; a laptop that was closed may seem to. */
const LONGEST_STEP_MS = 60_000;

const clock: Clock = {
  now: steady(() => performance.now(), LONGEST_STEP_MS),
  rest: (milliseconds) =>
    new Promise((resolve) => {
      if (milliseconds > 0) {
        setTimeout(resolve, milliseconds);
        return;
      }
      waiting.push(resolve);
      breath.port2.postMessage(null);
    }),
};

let fitting: Fitting | null = null;
/** The backend that was told last. */
let told: BrowserBackend | null = null;

async function fit(job: Job): Promise<void> {
  if (fitting === null) return;
  const found = await fitting.fit(job);
  if (found.backend !== told || found.measured.length > 0) emit({ type: "fitted", fit: found });
  told = found.backend;
}

const runner = new Runner(emit, clock, isLost, fit);
/** Units wait until a backend is chosen. */
let ready: Promise<void> = Promise.resolve();
let ticking: ReturnType<typeof setInterval> | undefined;

function lost(reason: string): void {
  emit({ type: "failed", leaseId: null, code: "backend_lost", message: reason });
}

async function prepare(message: Extract<ToEngine, { type: "prepare" }>): Promise<void> {
  try {
    // Losing a backend while others are measured, or that is not the present one, only rules it out.
    let chosen = false;
    const bench = openBench((name) => (reason) => {
      if (chosen && getBackend() === name) lost(reason);
    });
    const { backend, reports } = await chooseBackend(message.force, message.remembered, bench);
    chosen = true;
    told = backend;
    const candidates = candidatesOf(rightOnes(reports));
    // Without remembered measurements, all of them have just got the known answer.
    const proven = message.remembered === null ? candidates : [backend];
    const fittingBench = openFittingBench(bench, proven, message.force !== null);
    fitting = new Fitting(fittingBench, candidates, message.kinds);
    keepOnly([backend, ...candidates]);
    emit({ type: "prepared", backend, reports });
  } catch (problem) {
    const code = problem instanceof Unavailable ? "no_backend" : "error";
    const text = problem instanceof Error ? problem.message : String(problem);
    emit({ type: "failed", leaseId: null, code, message: text });
  }
}

/** Plain JavaScript is slower than WASM at everything, so it is no candidate beside it. */
function candidatesOf(right: readonly BrowserBackend[]): readonly BrowserBackend[] {
  return right.includes("wasm") ? right.filter((name) => name !== "cpu") : right;
}

function hear(message: ToEngine): void {
  switch (message.type) {
    case "prepare":
      ready = prepare(message);
      break;
    case "train":
      void ready.then(() => runner.train(message.jobs));
      break;
    case "share":
      runner.setShare(message.share);
      break;
    case "pause":
      runner.pause();
      break;
    case "resume":
      runner.resume();
      break;
    case "drop":
      void ready.then(() => runner.drop(message.leaseId));
      break;
    case "settled":
      runner.settled(message.leaseId, message.asked);
      break;
    case "ticks":
      clearInterval(ticking);
      ticking = setInterval(() => emit({ type: "tick" }), 1_000 * message.everySeconds);
      break;
  }
}

/** Hold the lock of this Worker's name until it dies, whatever it dies of: its page waits for that. */
function showLife(): void {
  // Absent on plain HTTP; the page then only sees that nothing is said any more.
  const locks = navigator.locks as LockManager | undefined;
  void locks?.request(scope.name, () => {
    emit({ type: "alive" });
    return new Promise<never>(() => {});
  });
}

showLife();
scope.onmessage = (event: MessageEvent<ToEngine>) => hear(event.data);
