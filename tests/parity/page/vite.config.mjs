// Builds the parity page: vite build --config tests/parity/page/vite.config.mjs --outDir FOLDER
import { fileURLToPath } from "node:url";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));

export default {
  root: at("."),
  base: "./",
  logLevel: "warn",
  // The page lies outside client_web, whose packages it uses.
  resolve: {
    alias: [
      { find: /^@tensorflow\//, replacement: at("../../../client_web/node_modules/@tensorflow/") },
      { find: "seedrandom", replacement: at("../../../client_web/node_modules/seedrandom") },
    ],
  },
  build: {
    emptyOutDir: true,
    minify: false, // so that a failure names the function
    target: "es2022",
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 4000,
    modulePreload: { polyfill: false },
  },
};
