/** Many units in one Worker, as a long day brings them, and the memory that is in use afterwards. */

import type { BrowserBackend, FromEngine, Job, ToEngine } from "../engine/messages";

/** Chromium's own measure of a page with its Workers; taken after a garbage collection. */
interface MeasuredPerformance {
  readonly measureUserAgentSpecificMemory: () => Promise<{ readonly bytes: number }>;
}

async function bytesInUse(): Promise<number> {
  return (await (performance as unknown as MeasuredPerformance).measureUserAgentSpecificMemory()).bytes;
}

export interface Endured {
  /** Bytes in use after so many units, in the order of `looks`. */
  readonly bytes: readonly number[];
  readonly finished: number;
}

/**
 * Train the same unit again and again, under other names; look at the memory after so many units. Units
 * that are not settled keep their committed states, and so must show in it.
 */
export async function endure(
  backend: BrowserBackend,
  job: Job,
  looks: readonly number[],
  settle: boolean,
): Promise<Endured> {
  const worker = new Worker(new URL("../engine/worker.ts", import.meta.url), { type: "module" });
  const say = (message: ToEngine): void => worker.postMessage(message);
  const next = (wanted: FromEngine["type"]): Promise<void> =>
    new Promise((resolve, reject) => {
      worker.onerror = (event) => reject(new Error(event.message));
      worker.onmessage = ({ data }: MessageEvent<FromEngine>) => {
        if (data.type === "failed") reject(new Error(data.message));
        if (data.type === wanted) resolve();
      };
    });
  try {
    const ready = next("prepared");
    say({ type: "prepare", force: backend, remembered: null, kinds: {} });
    await ready;
    const bytes: number[] = [];
    let finished = 0;
    for (const look of looks) {
      while (finished < look) {
        const leaseId = `ls_${finished}`;
        const end = next("finished");
        say({ type: "train", jobs: [{ ...job, leaseId }] });
        await end;
        if (settle) say({ type: "settled", leaseId, asked: [] });
        finished += 1;
      }
      bytes.push(await bytesInUse());
    }
    return { bytes, finished };
  } finally {
    worker.terminate();
  }
}
