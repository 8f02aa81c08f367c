/** Artifacts over HTTP by hash, with a lease's token; kept by the browser so that none comes twice. */

import { sha256 } from "./sha256";

/** The coordinator does not give, or take, an artifact for this token. */
export class ArtifactRefused extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** What came is not what its name says. */
export class ArtifactDamaged extends Error {}

export interface Artifacts {
  readonly fetch: (hash: string, token: string) => Promise<ArrayBuffer>;
  readonly upload: (bytes: ArrayBuffer, hash: string, token: string) => Promise<void>;
  /** Hashes that need no download any more. */
  readonly cached: () => Promise<string[]>;
}

const CACHE_NAME = "potluck-artifacts-v1";
const MOST_KEPT = 64;
const LEASE_HEADER = "X-Potluck-Lease";

/** The browser's cache, or null: plain HTTP in a local network has none, nor have some private modes. */
async function openCache(): Promise<Cache | null> {
  try {
    return (await (globalThis.caches as CacheStorage | undefined)?.open(CACHE_NAME)) ?? null;
  } catch {
    return null;
  }
}

async function keep(cache: Cache, url: string, bytes: ArrayBuffer): Promise<void> {
  try {
    await cache.put(url, new Response(bytes));
    const kept = await cache.keys();
    await Promise.all(kept.slice(0, Math.max(0, kept.length - MOST_KEPT)).map((old) => cache.delete(old)));
  } catch {
    // A full disk costs a later download, nothing else.
  }
}

async function gzip(bytes: ArrayBuffer): Promise<ArrayBuffer | null> {
  if (typeof CompressionStream === "undefined") return null;
  const stream = new Response(bytes).body?.pipeThrough(new CompressionStream("gzip"));
  return stream === undefined ? null : new Response(stream).arrayBuffer();
}

/** Reach the artifacts of a coordinator at `origin` (empty for the page's own). */
export function openArtifacts(origin = ""): Artifacts {
  const address = (hash: string): string => `${origin}/api/v1/donor/artifacts/${hash}`;

  const download = async (hash: string, token: string): Promise<ArrayBuffer> => {
    const response = await fetch(address(hash), { headers: { [LEASE_HEADER]: token } });
    if (!response.ok) throw new ArtifactRefused(response.status, `artifact ${hash} was refused`);
    const bytes = await response.arrayBuffer();
    const got = await sha256(bytes);
    if (got !== hash) throw new ArtifactDamaged(`artifact ${hash} came as ${got}`);
    return bytes;
  };

  return {
    fetch: async (hash, token) => {
      const cache = await openCache();
      const kept = await cache?.match(address(hash));
      if (kept !== undefined) {
        const bytes = await kept.arrayBuffer();
        if ((await sha256(bytes)) === hash) return bytes;
        await cache?.delete(address(hash));
      }
      const bytes = await download(hash, token);
      if (cache !== null) await keep(cache, address(hash), bytes);
      return bytes;
    },
    upload: async (bytes, hash, token) => {
      const compressed = await gzip(bytes);
      const headers: Record<string, string> = {
        [LEASE_HEADER]: token,
        "Content-Type": "application/octet-stream",
      };
      if (compressed !== null) headers["Content-Encoding"] = "gzip";
      const response = await fetch(address(hash), { method: "PUT", headers, body: compressed ?? bytes });
      if (!response.ok) throw new ArtifactRefused(response.status, `upload of ${hash} was refused`);
    },
    cached: async () => {
      const cache = await openCache();
      const kept = (await cache?.keys()) ?? [];
      return kept.map((request) => request.url.slice(-64)).filter((hash) => /^[0-9a-f]{64}$/.test(hash));
    },
  };
}
