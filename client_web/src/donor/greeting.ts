/** The first word to the coordinator: who this donor is, what it has, and what it still holds. */

import { type Hello, PROTOCOL_VERSION } from "../protocol/messages";
import type { Ports } from "./ports";
import type { DonorState } from "./state";

/** Compose `hello`; null while no backend is chosen. */
export function greeting(
  ports: Pick<Ports, "client" | "memory" | "memoryBytes">,
  { backend, backends }: Pick<DonorState, "backend" | "backends">,
  tokens: string[],
  cached: string[],
): Hello | null {
  if (backend === null) return null;
  return {
    type: "hello",
    protocol: PROTOCOL_VERSION,
    client: ports.client,
    donor_key: ports.memory.donorKey(),
    backends: [...backends],
    backend,
    memory_bytes: ports.memoryBytes,
    leases: tokens,
    cached,
  };
}
