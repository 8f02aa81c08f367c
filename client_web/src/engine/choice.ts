/** Which backends this device trains on: those that get the known answer, the fastest first. */

import type { BackendReport } from "../protocol/messages";
import { BACKENDS, type OnLost, SoftwareOnly, Unavailable, useBackend, within } from "./backends";
import { trainsRightly } from "./known_answer";
import type { BrowserBackend } from "./messages";
import { measureSpeed } from "./speed";

const CHECK_TIMEOUT_MS = 30_000;
const WRONG = "It gets a small known training wrong, which an update of its driver may mend.";

export interface Choice {
  readonly backend: BrowserBackend;
  readonly reports: readonly BackendReport[];
}

/** What choosing needs of a device. */
export interface Bench {
  /** Make a backend the present one; raises Unavailable. */
  readonly use: (backend: BrowserBackend, forced: boolean) => Promise<void>;
  readonly trainsRightly: () => Promise<boolean>;
  /** Samples per second of the reference on the present backend. */
  readonly speed: () => Promise<number>;
}

/** Give this browser's own bench. `onLost` hears of a GPU that was taken away. */
export function openBench(onLost: (backend: BrowserBackend) => OnLost): Bench {
  return {
    use: (backend, forced) => useBackend(backend, { forced, onLost: onLost(backend) }),
    trainsRightly,
    speed: measureSpeed,
  };
}

function describe(problem: unknown): string {
  return problem instanceof Error ? problem.message : String(problem);
}

/** Make a backend the present one if it gets the known answer; raises Unavailable where it does not. */
export async function prove(bench: Bench, backend: BrowserBackend, forced: boolean): Promise<void> {
  await bench.use(backend, forced);
  if (!(await within(CHECK_TIMEOUT_MS, bench.trainsRightly(), backend))) throw new Unavailable(WRONG);
}

/** Try one backend; null where it would only be the processor in disguise. */
async function examine(bench: Bench, backend: BrowserBackend, forced: boolean): Promise<BackendReport | null> {
  try {
    await prove(bench, backend, forced);
    return { backend, samples_per_second: await bench.speed(), right: true, note: "" };
  } catch (problem) {
    if (problem instanceof SoftwareOnly) return null;
    return { backend, samples_per_second: 0, right: false, note: describe(problem) };
  }
}

/** Name the backends that train rightly, the fastest first. */
export function rightOnes(reports: readonly BackendReport[]): BrowserBackend[] {
  return reports
    .filter((report) => report.right)
    .sort((left, other) => other.samples_per_second - left.samples_per_second)
    .flatMap(({ backend }) => (backend === "jax" ? [] : [backend]));
}

async function measureAll(bench: Bench): Promise<Choice> {
  const reports: BackendReport[] = [];
  for (const backend of BACKENDS) {
    const report = await examine(bench, backend, false);
    if (report !== null) reports.push(report);
  }
  const [backend] = rightOnes(reports);
  if (backend === undefined) throw new Unavailable("No way of computing in this browser trains rightly.");
  await bench.use(backend, false);
  return { backend, reports };
}

/**
 * Choose a backend and leave it the present one. `remembered` measurements spare the measuring, not the known
 * answer: a GPU may have broken since, or just been lost. Raises Unavailable where nothing trains rightly.
 */
export async function chooseBackend(
  force: BrowserBackend | null,
  remembered: readonly BackendReport[] | null,
  bench: Bench,
): Promise<Choice> {
  if (force !== null) {
    const report = await examine(bench, force, true);
    if (report?.right !== true) throw new Unavailable(`${force}: ${report?.note ?? "unavailable"}`);
    return { backend: force, reports: [report] };
  }
  let reports = remembered ?? [];
  for (const backend of rightOnes(reports)) {
    try {
      await prove(bench, backend, false);
      return { backend, reports };
    } catch (problem) {
      if (!(problem instanceof Unavailable)) throw problem;
      const note = describe(problem);
      reports = reports.map((old) =>
        old.backend === backend ? { ...old, samples_per_second: 0, right: false, note } : old,
      );
    }
  }
  return measureAll(bench);
}
