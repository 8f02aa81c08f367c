import { fileURLToPath } from "node:url";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";
import { packed } from "./packed";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Name each backend's code, so that anybody can see in the network panel which of it was fetched. */
function chunkFileNames({ moduleIds }: { readonly moduleIds: readonly string[] }): string {
  const backend = moduleIds.map((id) => /tfjs-backend-(webgl|webgpu|wasm|cpu)\/dist/.exec(id)?.[1]).find(Boolean);
  return backend === undefined ? "assets/[name]-[hash].js" : `assets/backend-${backend}-[hash].js`;
}

export default defineConfig({
  base: "/",
  plugins: [svelte(), packed()],
  worker: { format: "es", rollupOptions: { output: { chunkFileNames } } },
  build: {
    outDir: "../coordinator/potluck_coordinator/static",
    emptyOutDir: true,
    sourcemap: false,
    target: "es2022",
    // Inlined assets become data: URLs, which the pages' content security policy refuses.
    assetsInlineLimit: 0,
    // ECharts, fetched only with a chart, is the largest piece.
    chunkSizeWarningLimit: 600,
    modulePreload: { polyfill: false },
    rollupOptions: {
      input: { index: here("index.html"), "engine-check": here("engine-check.html") },
    },
  },
  server: { proxy: { "/api": { target: "http://127.0.0.1:8000", ws: true } } },
  test: {
    include: ["src/**/*.test.ts"],
    environment: "node",
    testTimeout: 120_000,
    reporters: ["default", "./outcomes.ts"],
  },
});
