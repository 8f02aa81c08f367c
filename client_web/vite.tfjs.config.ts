import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

/** Our TF.js layers as one module for any page: `install(tf)`, with no TF.js of its own. */
export default defineConfig({
  publicDir: false,
  build: {
    outDir: "dist",
    emptyOutDir: true,
    target: "es2022",
    lib: {
      entry: fileURLToPath(new URL("src/engine/layers/module.ts", import.meta.url)),
      formats: ["es"],
      fileName: () => "potluck-tfjs.js",
    },
  },
});
