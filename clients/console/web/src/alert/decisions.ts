/** Decisions and remarks of people about an alert. */

import type { AlertLabel, Verdict } from "../api/types";

const DECISIONS: readonly Verdict[] = ["fraud", "false_positive", "undecided"];

/** The latest decision; remarks decide nothing. */
export function latestDecision(labels: readonly AlertLabel[]): AlertLabel | null {
  const decisions = labels.filter((each) => DECISIONS.includes(each.verdict));
  return decisions.reduce<AlertLabel | null>(
    (last, each) => (last === null || each.id > last.id ? each : last),
    null,
  );
}
