/** Which studies the gallery shows. Pure. */

import type { Study, StudyState } from "../../protocol/records";

export interface Filter {
  readonly text: string;
  readonly state: StudyState | "all";
}

/** Studies whose name, submitter, model or dataset holds every word; the newest first. */
export function filtered(studies: readonly Study[], filter: Filter): Study[] {
  const words = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
  return studies
    .filter((study) => filter.state === "all" || study.state === filter.state)
    .filter((study) => {
      const text = [study.name, study.submitter, study.model_name, study.dataset_name].join(" ").toLowerCase();
      return words.every((word) => text.includes(word));
    })
    .sort((a, b) => b.created_at - a.created_at);
}
