/** Potluck's engine at a share of the device: what was asked, and what the clock says of it. */

import type { Job } from "../src/engine/messages";
import { type Clock, Runner } from "../src/engine/runner";
import type { ShareAnswer, ShareAsk, Task } from "./messages";
import { start, unitOf } from "./units";

/** Opening a unit and its first slices compile: that is worked off before anything is measured. */
const WARM_UP_SLICES = 8;
const LOOK_MS = 50;

const after = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** The engine's clock, on which every rest and all work between two rests are noted. */
class NotedClock implements Clock {
  restedMs = 0;
  slicesMs: number[] = [];
  private wokeAt = performance.now();
  private readonly breath = new MessageChannel();

  readonly now = (): number => performance.now();

  readonly rest = async (milliseconds: number): Promise<void> => {
    const begun = performance.now();
    if (milliseconds > 0) await after(milliseconds);
    else {
      this.slicesMs.push(begun - this.wokeAt);
      await new Promise<void>((resolve) => {
        this.breath.port1.onmessage = () => resolve();
        this.breath.port2.postMessage(null);
      });
    }
    this.wokeAt = performance.now();
    if (milliseconds > 0) this.restedMs += this.wokeAt - begun;
  };

  forget(): void {
    this.restedMs = 0;
    this.slicesMs = [];
  }
}

function job(task: Task): Job {
  const { recipe, bytes } = unitOf(task);
  const epochs = 1_000_000;
  const { topology, checkpoint: start, tensors } = bytes;
  const unit: Job["unit"] = {
    id: "u", kind: "trial", study_id: "s", study_name: "bench", submitter: "bench", trial: 0, fold: null, repeat: 0,
    rung: 0, from_epoch: 0, to_epoch: epochs, epochs, ...recipe, topology: "", start: "", tensors: "",
    commit_steps: [], flops: "1", limits: { seconds: 3_600, upload_bytes: 1 },
  };
  return { leaseId: "a", unit, topology, start, tensors, resume: null };
}

async function answer({ task, share, seconds }: ShareAsk): Promise<ShareAnswer> {
  let problem = "";
  const onLost = (reason: string): void => void (problem = reason);
  await start(task, onLost);
  const clock = new NotedClock();
  const runner = new Runner((event) => {
    if (event.type === "failed") problem = event.message;
  }, clock);
  const trained = runner.train([job(task)]);
  while (clock.slicesMs.length < WARM_UP_SLICES && problem === "") await after(LOOK_MS);
  runner.setShare(share);
  clock.forget();
  const begun = performance.now();
  await after(1_000 * seconds);
  const got = 1 - clock.restedMs / (performance.now() - begun);
  const slices = clock.slicesMs.sort((a, b) => a - b);
  runner.drop("a");
  await trained;
  if (problem !== "") throw new Error(problem);
  const at = (part: number): number => slices[Math.floor(part * slices.length)] ?? 0;
  return { got, slices: slices.length, medianMs: at(0.5), longMs: at(0.95) };
}

self.onmessage = (event: MessageEvent<ShareAsk>) => {
  answer(event.data).then(
    (found) => self.postMessage(found),
    (problem: unknown) => self.postMessage({ problem: problem instanceof Error ? problem.message : String(problem) }),
  );
};
