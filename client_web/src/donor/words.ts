/** What the page says of things that happen to its work, in plain words. */

import type { EngineFailure } from "../engine/messages";
import type { Heard } from "../protocol/messages";

/** Why the coordinator wants a unit put down, for the person. */
export const PUT_DOWN: Readonly<Record<NonNullable<Heard["stop"]>[string], string>> = {
  cancelled: "This study no longer needs the unit, so it was put down.",
  superseded: "Somebody else finished this unit first, so it was put down.",
  expired: "The unit was away too long and went to somebody else.",
  unknown: "The coordinator does not know this unit any more, so it was put down.",
};

/** What browsers say when memory is short; none of them has a code for it. */
const OUT_OF_MEMORY = /out of memory|allocation failed|invalid array (buffer )?length|could not allocate/i;

/** What happened to training that goes on from its last state. */
export function interrupted(code: EngineFailure, message: string): string {
  if (code === "backend_lost") {
    return "The browser took the graphics card away. Training starts afresh and goes on from its last state.";
  }
  if (OUT_OF_MEMORY.test(message)) {
    return "This device ran out of memory. Training starts afresh and goes on from its last state, one unit at a time.";
  }
  return `Training was interrupted and goes on from its last state. ${message}`;
}

export const SILENT_ENGINE = "The training program said nothing for far longer than its work explains.";
export const WENT_ELSEWHERE = "The unit went to somebody else meanwhile.";
export const PUZZLED =
  "The coordinator said something that this page does not know. Reload the page when convenient.";
export const NEW_PAGE = "The coordinator has a newer page. This tab loads it after its unit and goes on by itself.";
