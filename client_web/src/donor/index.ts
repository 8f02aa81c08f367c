/** The donor session's whole public surface: pages import from here and nowhere deeper. */

export { startDonor } from "./start";
export { INITIAL_STATE } from "./state";
export type { DonorHandle, DonorOptions, DonorState, Phase } from "./state";
