/** The leases that this donor holds, which of them are in the engine, and their tokens for after a crash. */

import type { Lease } from "../protocol/messages";
import { hold, type Holding } from "./holding";
import type { MemoryPort } from "./ports";

/** Units that are trained, and asked for, at a time. */
export const MOST_TOGETHER = 8;
/** Leases that one message may speak of, so no more are held. */
export const MOST_HELD = 16;

export class Hands {
  private readonly memory: MemoryPort;
  private readonly held = new Map<string, Holding>();
  private readonly underWay = new Set<string>();

  constructor(memory: MemoryPort) {
    this.memory = memory;
  }

  get(id: string): Holding | undefined {
    return this.held.get(id);
  }

  all(): Holding[] {
    return [...this.held.values()];
  }

  get empty(): boolean {
    return this.held.size === 0;
  }

  /** Leases that may still be asked for. */
  get room(): number {
    return Math.min(MOST_TOGETHER, MOST_HELD - this.held.size);
  }

  /** Whether units are under way; one that is finished and not settled yet no longer is. */
  get busy(): boolean {
    return this.underWay.size > 0;
  }

  /** The units under way together: brought here, or in the engine. */
  get group(): Holding[] {
    return this.all().filter(({ lease }) => this.underWay.has(lease.id));
  }

  /** What the page shows: a unit that is under way, else any that is still held. */
  get present(): Holding | undefined {
    return this.group[0] ?? this.all()[0];
  }

  get queued(): Holding[] {
    return this.all().filter(({ stage }) => stage === "queued");
  }

  /** The queued units that are to be trained next, together where their `stack` says so. */
  get nextGroup(): Holding[] {
    return groupOf(this.queued);
  }

  /** Hold a lease; one that is held already only gets its new token. */
  add(lease: Lease): void {
    const holding = this.held.get(lease.id);
    this.held.set(lease.id, holding === undefined ? hold(lease) : { ...holding, lease });
    this.remember();
  }

  take(id: string): void {
    this.underWay.add(id);
  }

  lay(id: string): void {
    this.underWay.delete(id);
  }

  update(id: string, change: (holding: Holding) => Holding): void {
    const holding = this.held.get(id);
    if (holding !== undefined) this.held.set(id, change(holding));
  }

  forget(id: string): void {
    this.held.delete(id);
    this.lay(id);
    this.remember();
  }

  /** Tokens of what is held, and of what was held before a crash of this tab; not what others hold. */
  tokens(elsewhere: ReadonlySet<string>): string[] {
    const own = this.ownTokens();
    const before = this.memory.tokens().filter((token) => !elsewhere.has(token));
    return [...new Set([...own, ...before])];
  }

  ownTokens(): string[] {
    return this.all().map(({ lease }) => lease.token);
  }

  private remember(): void {
    this.memory.rememberTokens(this.ownTokens());
  }
}

/** The first of these, and those that can be trained with it. One that failed before goes alone. */
function groupOf(queued: readonly Holding[]): Holding[] {
  const [first] = queued;
  if (first === undefined) return [];
  const stack = first.lease.unit.stack ?? null;
  if (stack === null || first.failures > 0) return [first];
  const alike = queued.filter(({ lease, failures }) => lease.unit.stack === stack && failures === 0);
  return alike.slice(0, MOST_TOGETHER);
}
