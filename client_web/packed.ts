/** Every built file that shrinks also as gzip beside it, so that the coordinator packs nothing while it serves. */

import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import type { Plugin } from "vite";

const SHRINKS = /\.(js|css|html|svg|json|wasm)$/;
const LEAST_BYTES = 1024;

export function packed(): Plugin {
  let folder = "";
  return {
    name: "potluck-packed",
    apply: "build",
    configResolved: (config) => {
      folder = resolve(config.root, config.build.outDir);
    },
    closeBundle: () => {
      for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
        const path = join(folder, name);
        if (SHRINKS.test(name) && statSync(path).size >= LEAST_BYTES) {
          writeFileSync(`${path}.gz`, gzipSync(readFileSync(path), { level: 9 }));
        }
      }
    },
  };
}
