/** The leases that this donor holds, which one is being worked on, and their tokens for after a crash. */

import type { Lease } from "../protocol/messages";
import { hold, type Holding } from "./holding";
import type { MemoryPort } from "./ports";

export class Hands {
  private readonly memory: MemoryPort;
  private readonly held = new Map<string, Holding>();
  private current: string | null = null;

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

  /** Whether a unit is under way; one that is handed in and not settled yet no longer is. */
  get busy(): boolean {
    return this.current !== null;
  }

  /** The lease that is worked on, else any that is still held. */
  get present(): Holding | undefined {
    return this.current === null ? this.all()[0] : this.held.get(this.current);
  }

  get queued(): Holding | undefined {
    return this.all().find(({ stage }) => stage === "queued");
  }

  /** Hold a lease; one that is held already only gets its new token. */
  add(lease: Lease): void {
    const holding = this.held.get(lease.id);
    this.held.set(lease.id, holding === undefined ? hold(lease) : { ...holding, lease });
    this.remember();
  }

  take(id: string): void {
    this.current = id;
  }

  lay(id: string): void {
    if (this.current === id) this.current = null;
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

  /** Tokens of what is held, and of what was held before a crash of this tab. */
  tokens(): string[] {
    return [...new Set([...this.all().map(({ lease }) => lease.token), ...this.memory.tokens()])];
  }

  private remember(): void {
    this.memory.rememberTokens(this.all().map(({ lease }) => lease.token));
  }
}
