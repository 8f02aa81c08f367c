/** Which ways of computing are not used on this device, and why, for the person whose device it is. */

import type { DonorState } from "../../donor/state";
import { backendText } from "../shared/words";

/** `WebGL is not used here. It gets a small known training wrong.`, one sentence or two for each. */
export function passedOver({ backends }: Pick<DonorState, "backends">): string[] {
  return backends
    .filter(({ right, note }) => !right && note)
    .map(({ backend, note }) => `${backendText(backend)} is not used here. ${note}`);
}
