/** Which backend this device trains on: the fastest of those that get the known answer. */

import type { BackendReport } from "../protocol/messages";
import { BACKENDS, type OnLost, SoftwareOnly, Unavailable, useBackend, within } from "./backends";
import { trainsRightly } from "./known_answer";
import type { BrowserBackend } from "./messages";
import { speedReference } from "./reference";
import { Training } from "./training";

/** Measuring a backend takes this long, once its code is there and its first step is done. */
const MEASURE_MS = 300;
const CHECK_TIMEOUT_MS = 30_000;

export interface Choice {
  readonly backend: BrowserBackend;
  readonly reports: readonly BackendReport[];
}

/** Measure samples per second on the present backend. */
export async function measureSpeed(now: () => number = () => performance.now()): Promise<number> {
  const { recipe, bytes } = speedReference();
  const training = await Training.open(recipe, bytes);
  try {
    training.advance();
    await training.loss();
    const started = now();
    let steps = 0;
    while (now() - started < MEASURE_MS) {
      training.advance();
      // A GPU only takes the work; waiting now and then keeps the clock honest.
      if (++steps % 4 === 0) await training.loss();
    }
    await training.loss();
    return (1000 * steps * recipe.batch_size) / (now() - started);
  } finally {
    training.dispose();
  }
}

function describe(problem: unknown): string {
  return problem instanceof Error ? problem.message : String(problem);
}

/** Try one backend; null where it would only be the processor in disguise. */
async function examine(
  backend: BrowserBackend,
  forced: boolean,
  onLost: OnLost,
): Promise<BackendReport | null> {
  const report = (speed: number, right: boolean, note: string): BackendReport => ({
    backend,
    samples_per_second: speed,
    right,
    note,
  });
  try {
    await useBackend(backend, { forced, onLost });
    if (!(await within(CHECK_TIMEOUT_MS, trainsRightly(), backend))) {
      return report(0, false, "It gets a small known training wrong, so it is not used.");
    }
    return report(await measureSpeed(), true, "");
  } catch (problem) {
    if (problem instanceof SoftwareOnly) return null;
    return report(0, false, describe(problem));
  }
}

function bestFirst(reports: readonly BackendReport[]): BackendReport[] {
  const right = reports.filter((report) => report.right && report.backend !== "jax");
  return right.sort((left, other) => other.samples_per_second - left.samples_per_second);
}

/**
 * Choose a backend and leave it the present one. `remembered` measurements spare the measuring, not
 * the known answer. Raises Unavailable where nothing on this device trains rightly.
 */
export async function chooseBackend(
  force: BrowserBackend | null,
  remembered: readonly BackendReport[] | null,
  onLost: OnLost,
): Promise<Choice> {
  if (force !== null) {
    const report = await examine(force, true, onLost);
    if (report?.right !== true) throw new Unavailable(`${force}: ${report?.note ?? "unavailable"}`);
    return { backend: force, reports: [report] };
  }
  const reports = remembered === null ? [] : [...remembered];
  if (remembered === null) {
    for (const backend of BACKENDS) {
      const report = await examine(backend, false, onLost);
      if (report !== null) reports.push(report);
    }
  }
  for (const { backend } of bestFirst(reports)) {
    if (backend === "jax") continue;
    try {
      await useBackend(backend, { forced: false, onLost });
      if (remembered === null || (await within(CHECK_TIMEOUT_MS, trainsRightly(), backend))) {
        return { backend, reports };
      }
    } catch (problem) {
      if (!(problem instanceof Unavailable)) throw problem;
    }
  }
  if (remembered !== null) return chooseBackend(null, null, onLost);
  throw new Unavailable("No way of computing in this browser trains rightly.");
}
