/** Bytes of a lease, down and up: what the engine needs, and the states that come of it. */

import type { Job, Snapshot } from "../engine/messages";
import { readSafetensors } from "../engine/safetensors";
import { ArtifactRefused, type Artifacts } from "../protocol/artifacts";
import type { Lease } from "../protocol/messages";
import { firstStep } from "./holding";
import type { ClockPort, StatePort } from "./ports";
import { UploadBudget } from "./uploads";

const MOST_CACHED_TOLD = 512;
const DOWNLOAD_TRIES = 4;
const FIRST_RETRY_MS = 1_000;
/** Too slow, too often: what nobody has looked at may be sent again. */
const PASSING: readonly number[] = [408, 429];

/** How an upload ended. `failed` is the network's or the coordinator's momentary trouble. */
export type Uploaded = "through" | "too_large" | "refused" | "failed";

/** Whether trouble with a download is the network's or the coordinator's, and will pass. */
export function passes(problem: unknown): boolean {
  return outcome(problem) === "failed";
}

/** The step of a state's bytes; what cannot be read is for the engine to say. */
function stepOf(state: ArrayBuffer): number {
  try {
    return Number(readSafetensors(state).metadata["step"]) || 0;
  } catch {
    return 0;
  }
}

function outcome(problem: unknown): Uploaded {
  if (!(problem instanceof ArtifactRefused) || problem.status >= 500) return "failed";
  if (PASSING.includes(problem.status)) return "failed";
  return problem.status === 413 ? "too_large" : "refused";
}

export class Deliveries {
  private readonly artifacts: Artifacts;
  private readonly states: StatePort;
  private readonly clock: ClockPort;
  private readonly budget = new UploadBudget();
  private uploads: Promise<unknown> = Promise.resolve();
  private running = 0;
  private kept: readonly string[] = [];
  /** Downloads under way: units that are fetched together share most of their bytes. */
  private readonly coming = new Map<string, Promise<ArrayBuffer>>();

  constructor(artifacts: Artifacts, states: StatePort, clock: ClockPort) {
    this.artifacts = artifacts;
    this.states = states;
    this.clock = clock;
  }

  /** Fetch all that training a lease takes; it goes on from the newest state that this device has. */
  async job(lease: Lease, latest: Snapshot | null): Promise<Job> {
    const { unit, token, id: leaseId } = lease;
    const [topology, start, tensors, kept] = await Promise.all([
      this.fetch(unit.topology, token),
      this.fetch(unit.start, token),
      this.fetch(unit.tensors, token),
      latest ?? this.states.load(unit.id),
    ]);
    await this.look();
    // The coordinator's state may be newer than what this device kept: others were at it meanwhile.
    const given = Math.max(firstStep(lease), stepOf(start));
    const resume = kept !== null && kept.step > given ? kept.bytes : null;
    return { leaseId, unit, topology, start, tensors, resume };
  }

  /** See which artifacts this device has. */
  async look(): Promise<void> {
    this.kept = (await this.artifacts.cached()).slice(-MOST_CACHED_TOLD);
  }

  /** Hashes of the artifacts that this device had at the last look. */
  get cached(): string[] {
    return [...this.kept];
  }

  /** Whether an upload by the way would stay within the budget. */
  get allowed(): boolean {
    return this.running === 0 && this.budget.allows(this.clock.now());
  }

  /** Upload a state after those before it. */
  upload(lease: Lease, snapshot: Snapshot): Promise<Uploaded> {
    const upload = async (): Promise<Uploaded> => {
      const begun = this.clock.now();
      this.running += 1;
      try {
        await this.artifacts.upload(snapshot.bytes, snapshot.sha256, lease.token);
        return "through";
      } catch (problem) {
        return outcome(problem);
      } finally {
        this.running -= 1;
        this.budget.spent(begun, this.clock.now());
      }
    };
    const uploaded = this.uploads.then(upload);
    this.uploads = uploaded;
    return uploaded;
  }

  private fetch(hash: string, token: string): Promise<ArrayBuffer> {
    const coming = this.coming.get(hash) ?? this.download(hash, token).finally(() => this.coming.delete(hash));
    this.coming.set(hash, coming);
    return coming;
  }

  private async download(hash: string, token: string): Promise<ArrayBuffer> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.artifacts.fetch(hash, token);
      } catch (problem) {
        if (outcome(problem) !== "failed" || tries === DOWNLOAD_TRIES) throw problem;
        await rest(this.clock, FIRST_RETRY_MS * 2 ** (tries - 1));
      }
    }
  }
}

/** Wait on the session's clock. */
export function rest(clock: ClockPort, milliseconds: number): Promise<void> {
  return new Promise((resolve) => void clock.later(milliseconds, resolve));
}
