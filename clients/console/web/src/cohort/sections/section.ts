/** What each section of the page on a cohort gets. */

import type { CohortDescription, MembersOf } from "../../api/types";
import type { CohortChoices } from "../choices";

export interface SectionProps {
  cohort: CohortDescription;
  choices: CohortChoices;
  /** Opens the sequences behind a mark. */
  openMembers: (members: MembersOf, title: string) => void;
}

/** What people call each feature, by its name. */
export function labelsOf(cohort: CohortDescription): Map<string, string> {
  return new Map(cohort.features.map((each) => [each.name, each.label]));
}
