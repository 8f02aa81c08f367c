/**
 * The tabs of one browser are one donor: they share its identity and divide the device. Each tells the
 * others what it does; no tab is in charge, and one that died is forgotten after a while.
 */

import type { ClockPort, TabsPort, TabWord } from "./ports";

/** Tabs speak at every tick of their engines, so at least four words were missed. */
const FORGOTTEN_AFTER_MS = 65_000;

interface Companion {
  readonly working: boolean;
  readonly tokens: readonly string[];
  readonly heardAtMs: number;
}

export class Companions {
  private readonly tabs: TabsPort;
  private readonly clock: ClockPort;
  private readonly changed: () => void;
  private readonly others = new Map<string, Companion>();
  private own: { readonly working: boolean; readonly tokens: readonly string[] } = { working: false, tokens: [] };

  constructor(tabs: TabsPort, clock: ClockPort, changed: () => void) {
    this.tabs = tabs;
    this.clock = clock;
    this.changed = changed;
    tabs.listen((word) => this.hear(word));
  }

  /** Tell the others what this tab does; `working` tabs divide the device. */
  tell(working: boolean, tokens: readonly string[]): void {
    this.own = { working, tokens };
    this.tabs.tell({ type: "here", tab: this.tabs.name, working, tokens });
  }

  /** Tell the others only where it differs from what they know. */
  tellChange(working: boolean, tokens: readonly string[]): void {
    const same = working === this.own.working && tokens.join() === this.own.tokens.join();
    if (!same) this.tell(working, tokens);
  }

  /** Tell the others that this tab no longer takes part; it may come back. */
  leave(): void {
    this.own = { working: false, tokens: [] };
    this.tabs.tell({ type: "gone", tab: this.tabs.name });
  }

  /** How many tabs divide the device, this one among them. */
  get dividers(): number {
    return 1 + this.alive().filter(({ working }) => working).length;
  }

  /** Tokens that other tabs hold: a tab that was duplicated remembers those of its original. */
  get tokens(): ReadonlySet<string> {
    return new Set(this.alive().flatMap(({ tokens }) => tokens));
  }

  private alive(): Companion[] {
    const oldest = this.clock.now() - FORGOTTEN_AFTER_MS;
    return [...this.others.values()].filter(({ heardAtMs }) => heardAtMs >= oldest);
  }

  private hear(word: TabWord): void {
    if (word.tab === this.tabs.name) return;
    const known = this.others.has(word.tab);
    if (word.type === "gone") this.others.delete(word.tab);
    else {
      const { working, tokens } = word;
      this.others.set(word.tab, { working, tokens, heardAtMs: this.clock.now() });
      // A newcomer knows nobody yet.
      if (!known) this.tell(this.own.working, this.own.tokens);
    }
    this.changed();
  }
}
