/**
 * Which backend suits a kind of unit: measured once on the first unit of the kind itself, from a copy of its
 * state, for about two seconds shared by all candidates; then remembered.
 */

import type { BackendReport } from "../protocol/messages";
import { isLost, Unavailable } from "./backends";
import { type Bench, prove } from "./choice";
import type { BrowserBackend, Fit, Job } from "./messages";
import { measureUnit } from "./speed";
import { unitKind } from "./unit_kind";

/** What all candidates together may take. One whose single step takes longer takes that long. */
export const FITTING_MS = 2_000;

export interface FittingBench {
  /** Make a backend the present one, once it has got the known answer; raises Unavailable. */
  readonly use: (backend: BrowserBackend) => Promise<void>;
  /** Samples per second of a unit on the present backend, found in about so many milliseconds. */
  readonly speed: (job: Job, milliseconds: number) => Promise<number>;
}

/** Give this browser's own bench; `proven` have got the known answer since it was loaded. */
export function openFittingBench(bench: Bench, proven: readonly BrowserBackend[], forced: boolean): FittingBench {
  const known = new Set(proven);
  return {
    use: async (backend) => {
      if (known.has(backend)) await bench.use(backend, forced);
      else await prove(bench, backend, forced);
      known.add(backend);
      if (isLost()) throw new Unavailable("Its GPU was taken away.");
    },
    speed: ({ unit, topology, tensors, start, resume }, milliseconds) =>
      measureUnit(unit, { topology, tensors, checkpoint: resume ?? start }, milliseconds),
  };
}

export class Fitting {
  private readonly bench: FittingBench;
  private candidates: readonly BrowserBackend[];
  private readonly chosen: Map<string, BrowserBackend>;

  /** `candidates` train rightly here; `remembered` names backends by kinds of units. */
  constructor(
    bench: FittingBench,
    candidates: readonly BrowserBackend[],
    remembered: Readonly<Record<string, BrowserBackend>>,
  ) {
    this.bench = bench;
    this.candidates = candidates;
    this.chosen = new Map(Object.entries(remembered));
  }

  /** Make the backend that suits a unit the present one. Raises what stopped the last candidate. */
  async fit(job: Job): Promise<Fit> {
    const kind = unitKind(job);
    const [only, ...others] = this.candidates;
    const known = others.length === 0 ? only : this.chosen.get(kind);
    if (known !== undefined && this.candidates.includes(known) && (await this.usable(known))) {
      return { kind, backend: known, measured: [] };
    }
    const measured = await this.measure(job);
    const best = measured.reduce((a, b) => (b.samples_per_second > a.samples_per_second ? b : a));
    const backend = best.backend as BrowserBackend;
    await this.bench.use(backend);
    this.chosen.set(kind, backend);
    return { kind, backend, measured };
  }

  /** Whether a backend can still be used; one that cannot is no candidate any more. */
  private async usable(backend: BrowserBackend): Promise<boolean> {
    try {
      await this.bench.use(backend);
      return true;
    } catch (problem) {
      if (!(problem instanceof Unavailable) || this.candidates.length === 1) throw problem;
      this.candidates = this.candidates.filter((other) => other !== backend);
      return false;
    }
  }

  private async measure(job: Job): Promise<BackendReport[]> {
    const found: BackendReport[] = [];
    let problem: unknown = new Unavailable("No way of computing in this browser trains rightly.");
    const share = FITTING_MS / this.candidates.length;
    for (const backend of this.candidates) {
      try {
        await this.bench.use(backend);
        const speed = await this.bench.speed(job, share);
        found.push({ backend, samples_per_second: speed, right: true, note: "" });
      } catch (stopped) {
        problem = stopped;
      }
    }
    if (found.length === 0) throw problem;
    return found;
  }
}
