/** What outlives the page: the donor's secret, measurements, and this tab's lease tokens. */

import type { BrowserBackend } from "../engine/messages";
import type { BackendReport } from "../protocol/messages";
import type { MemoryPort } from "./ports";

const KEY = "potluck.donor_key";
const MEASUREMENTS = "potluck.measurements";
const KINDS = "potluck.kinds";
const TOKENS = "potluck.leases";

/** Storage that a browser may refuse (private modes, full disk): then things last as long as the page. */
export function guarded(storage: () => Storage): Pick<Storage, "getItem" | "setItem"> {
  const own = new Map<string, string>();
  return {
    getItem: (key) => {
      try {
        return storage().getItem(key) ?? own.get(key) ?? null;
      } catch {
        return own.get(key) ?? null;
      }
    },
    setItem: (key, value) => {
      own.set(key, value);
      try {
        storage().setItem(key, value);
      } catch {
        // Kept in `own` until the page goes.
      }
    },
  };
}

function parse(text: string | null): unknown {
  try {
    return text === null ? null : JSON.parse(text);
  } catch {
    return null;
  }
}

function isReports(value: unknown): value is BackendReport[] {
  return Array.isArray(value) && value.length > 0 && value.every((r) => typeof r?.backend === "string");
}

function isKinds(value: unknown): value is Record<string, BrowserBackend> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((backend) => typeof backend === "string");
}

function newSecret(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Open this browser's memory; measurements count for one bundle in one browser version. */
export function openMemory(client: string): MemoryPort {
  const lasting = guarded(() => localStorage);
  const ofThisTab = guarded(() => sessionStorage);
  const measuredWith = `${client} ${navigator.userAgent}`;
  const kinds = (): Record<string, BrowserBackend> => {
    const kept = parse(lasting.getItem(KINDS)) as { with?: unknown; kinds?: unknown } | null;
    return kept?.with === measuredWith && isKinds(kept.kinds) ? kept.kinds : {};
  };
  return {
    donorKey: () => {
      const kept = lasting.getItem(KEY);
      if (kept !== null && kept.length >= 16) return kept;
      const fresh = newSecret();
      lasting.setItem(KEY, fresh);
      return fresh;
    },
    measurements: () => {
      const kept = parse(lasting.getItem(MEASUREMENTS)) as { with?: unknown; reports?: unknown } | null;
      return kept?.with === measuredWith && isReports(kept.reports) ? kept.reports : null;
    },
    rememberMeasurements: (reports) => {
      lasting.setItem(MEASUREMENTS, JSON.stringify({ with: measuredWith, reports }));
    },
    kinds,
    rememberKind: (kind, backend) => {
      const all = { ...kinds(), [kind]: backend };
      lasting.setItem(KINDS, JSON.stringify({ with: measuredWith, kinds: all }));
    },
    tokens: () => {
      const kept = parse(ofThisTab.getItem(TOKENS));
      return Array.isArray(kept) ? kept.filter((token) => typeof token === "string") : [];
    },
    rememberTokens: (tokens) => ofThisTab.setItem(TOKENS, JSON.stringify(tokens)),
  };
}
