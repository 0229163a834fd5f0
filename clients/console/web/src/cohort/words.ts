/** The words of pages on cohorts. */

import type { CohortRow } from "../api/types";

const STATUSES: Record<CohortRow["status"], string> = {
  explained: "explained",
  below_minimum: "score too low",
  failed: "failed",
};

/** What happened to a sequence. */
export function statusWords(status: string): string {
  return STATUSES[status as CohortRow["status"]] ?? status;
}

/** The name of a variant for people: "checkpoint 200, seed 3"; "all sequences" where nothing is varied. */
export function variantWords(variant: string): string {
  if (variant === "") return "all sequences";
  return variant
    .split(",")
    .map((part) => part.replace("=", " ").replaceAll("_", " "))
    .join(", ");
}
