import { vitePreprocess } from "@sveltejs/vite-plugin-svelte";

/** Runes everywhere; styles go to files, so that the pages' policy can refuse inline ones. */
export default {
  preprocess: vitePreprocess(),
  compilerOptions: { runes: true, css: "external" },
};
