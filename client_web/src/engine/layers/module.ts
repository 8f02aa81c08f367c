/** What `potluck-tfjs.js` gives to a page. */

import { install as installOn } from "./install";
import type { Tf } from "./kit";

/**
 * Register Keras's layers and activations that TF.js lacks, and mend its kernels. `tf` is the page's own
 * TF.js 4. Call it before opening a model, and again after loading another backend. Returns the layers' names.
 */
export function install(tf: unknown): string[] {
  const given = tf as Partial<Tf> | null | undefined;
  if (typeof given?.layers?.Layer !== "function" || typeof given.registerKernel !== "function") {
    throw new TypeError("install(tf) takes the whole of TF.js 4, layers included");
  }
  return installOn(given as Tf);
}
