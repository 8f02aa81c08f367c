/** What one sentence says of a study at this moment. Pure. */

import type { DonorsOf, Study } from "../../protocol/records";
import { moment, plural, timeLeft } from "../shared/format";
import { progress } from "../shared/words";

export interface Now {
  readonly text: string;
  /** Where there is something that the reader can do about it. */
  readonly invite: string;
}

/** What of a study the sentence hangs on. */
export type Facts = Pick<
  Study,
  "state" | "reason" | "counts" | "units_planned" | "donors" | "seconds_left" | "finished_at" | "checks_open" | "group_gone" | "may_edit"
> & { readonly spec: Pick<Study["spec"], "donors"> };

/** The sentence under the bar, from the same counts and donors as the bar's legend. */
export function nowText(study: Facts): Now {
  if (study.reason !== undefined && study.reason !== "") return { text: study.reason, invite: "" };
  switch (study.state) {
    case "preparing":
      return { text: "The coordinator prepares the data. Trials appear when it is done.", invite: "" };
    case "running":
      return running(study);
    case "completed":
      return { text: `All trials are done${at(study.finished_at)}.`, invite: "" };
    case "stopped":
      return { text: `Stopped${at(study.finished_at)}. What is scored stays.`, invite: "" };
    default:
      return { text: `The study failed${at(study.finished_at)}.`, invite: "" };
  }
}

function running(study: Facts): Now {
  const parts = progress(study);
  const helping = study.donors.length;
  if (helping > 0) {
    const left = timeLeft(study.seconds_left);
    const who = helping === 1 ? "1 donor is" : `${helping} donors are`;
    const text = `${who} training this study${left === "" ? "" : `, ${left}`}.`;
    return { text, invite: mayHelp(study) ? "Open another tab" : "" };
  }
  if (parts.toGo === 0 && parts.beingScored > 0) {
    return { text: `The last ${plural(parts.beingScored, "result")} of this study are being scored.`, invite: "" };
  }
  const checks = study.checks_open ?? 0;
  if (parts.toGo === 0 && checks > 0) {
    return { text: `The coordinator trains the best results again to confirm them: ${checks} to go.`, invite: "" };
  }
  const waitsFor = study.group_gone ? WAITS_FOR_OWNER : WAITS_FOR[study.spec.donors ?? "everyone"];
  return { text: `Nobody is training this study right now.${waitsFor}`, invite: mayHelp(study) ? "Open a donor tab" : "" };
}

/** A refutation may let a study run again whose group was deleted meanwhile. */
const WAITS_FOR_OWNER = " Its group was deleted: it waits for its submitter's own donors.";

const WAITS_FOR: Readonly<Record<DonorsOf, string>> = {
  everyone: "",
  group: " It waits for donors of its group.",
  mine: " It waits for its submitter's own donors.",
};

/** Whether a tab that this reader opens would get a unit, as far as the page knows. */
function mayHelp(study: Facts): boolean {
  return (study.spec.donors ?? "everyone") === "everyone" || study.may_edit;
}

function at(seconds: number | null): string {
  return seconds === null ? "" : `, ${moment(seconds)}`;
}
