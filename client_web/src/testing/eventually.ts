/** Wait, in a test, for what must come: vitest's own second is short on a crowded machine. */

import { vi } from "vitest";

const PATIENCE_MS = 60_000;

/** Repeat an assertion until it holds; after a minute, fail as it fails. */
export function eventually(assertion: () => void): Promise<void> {
  return vi.waitFor(assertion, PATIENCE_MS);
}
