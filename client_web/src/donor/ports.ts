/** What the session needs of the world. The page gives it the real things, tests give it their own. */

import type { BrowserBackend, Snapshot, ToEngine } from "../engine/messages";
import type { Artifacts } from "../protocol/artifacts";
import type { BackendReport } from "../protocol/messages";

export interface EnginePort {
  readonly post: (message: ToEngine) => void;
  /** Throw the Worker away, with all that hangs in it, and start a fresh one. */
  readonly restart: () => void;
  readonly close: () => void;
}

/** States kept on this device, so that a crashed Worker or browser costs at most seconds. */
export interface StatePort {
  readonly load: (unitId: string) => Promise<Snapshot | null>;
  readonly save: (unitId: string, snapshot: Snapshot) => Promise<void>;
  readonly remove: (unitId: string) => Promise<void>;
}

/** Small things that outlive the page. */
export interface MemoryPort {
  readonly donorKey: () => string;
  readonly measurements: () => readonly BackendReport[] | null;
  readonly rememberMeasurements: (reports: readonly BackendReport[]) => void;
  /** Backends that suit kinds of units, as measured on this device. */
  readonly kinds: () => Readonly<Record<string, BrowserBackend>>;
  readonly rememberKind: (kind: string, backend: BrowserBackend) => void;
  /** Tokens of the leases that this tab holds; they outlive a crash of the tab, and only that. */
  readonly tokens: () => string[];
  readonly rememberTokens: (tokens: readonly string[]) => void;
}

export interface ClockPort {
  readonly now: () => number;
  /** Calls `act` after so many milliseconds; returns the way to cancel. */
  readonly later: (milliseconds: number, act: () => void) => () => void;
  readonly random: () => number;
}

/** What tabs of one browser say to each other. */
export type TabWord =
  | {
      readonly type: "here";
      readonly tab: string;
      /** Units are trained in that tab now. */
      readonly working: boolean;
      readonly tokens: readonly string[];
    }
  | { readonly type: "gone"; readonly tab: string };

export interface TabsPort {
  /** This tab's own name. */
  readonly name: string;
  readonly tell: (word: TabWord) => void;
  readonly listen: (hear: (word: TabWord) => void) => void;
  readonly close: () => void;
}

/** The page itself, which an upgrade of the coordinator may make old. */
export interface PagePort {
  /** Load the page of `version` and go on there; false where this tab did so before, or cannot. */
  readonly reload: (version: string) => boolean;
}

export interface Ports {
  readonly engine: EnginePort;
  readonly artifacts: Artifacts;
  readonly states: StatePort;
  readonly memory: MemoryPort;
  readonly tabs: TabsPort;
  readonly page: PagePort;
  readonly clock: ClockPort;
  /** The engine is ready: open the socket (once). */
  readonly openSocket: () => void;
  /** The connection is dead without knowing it: make a new one. */
  readonly reopenSocket: () => void;
  readonly closeSocket: () => void;
  readonly client: string;
  readonly memoryBytes: number | null;
}
