// Builds the bench page: vite build --config tests/bench/engine_page/vite.config.mjs --outDir FOLDER
import { fileURLToPath } from "node:url";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));

export default {
  root: at("."),
  base: "./",
  logLevel: "warn",
  // The page lies outside client_web, whose packages and engine it uses.
  resolve: {
    alias: [
      { find: /^@tensorflow\//, replacement: at("../../../client_web/node_modules/@tensorflow/") },
      { find: /^@engine\//, replacement: at("../../../client_web/src/engine/") },
      { find: "seedrandom", replacement: at("../../../client_web/node_modules/seedrandom") },
    ],
  },
  worker: { format: "es" },
  build: {
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 4000,
    modulePreload: { polyfill: false },
  },
};
