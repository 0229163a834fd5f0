/** The words of pages on cohorts. */

import type { CohortRow } from "../api/types";
import { plainNumber, signed } from "../format/numbers";
import { dayOf } from "../format/times";

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

/** The title of the sequences in a bin: "Amount: effects from +0.02 to +0.04". */
export function binTitle(name: string, low: number | null, high: number | null): string {
  if (low === null && high === null) return name;
  if (low === null) return `${name}: effects below ${signed(high ?? 0)}`;
  if (high === null) return `${name}: effects from ${signed(low)}`;
  return `${name}: effects from ${signed(low)} to ${signed(high)}`;
}

/** What kinds of findings on features without effects mean. */
const FINDINGS: Record<string, string> = {
  zero: "0 in every sequence",
  within_error: "never beyond its sampling error",
  by_chance: "beyond its sampling error no more often than by chance",
};

export function findingWords(finding: string): string {
  return FINDINGS[finding] ?? finding;
}

/** A period for people: "1 Jan 2026 to 2 Feb 2026" for times, otherwise as it is. */
export function periodWords(period: string): string {
  const [from, to] = period.split("/");
  return to ? `${dayOf(`${from ?? ""}Z`) || from} to ${dayOf(`${to}Z`) || to}` : period;
}

const VERDICTS: Record<string, string> = {
  within: "no, within the tolerance",
  exceeds: "yes, together worth more than the tolerance",
  uncertain: "perhaps, the sampling error is too large",
  offsetting: "yes, parts of it cancel each other",
};

/** Whether pruned events matter, by the verdict of an explanation. */
export function verdictText(verdict: string | null): string {
  return verdict === null ? "nothing was pruned" : (VERDICTS[verdict] ?? verdict);
}

const WARNINGS: Record<string, string> = {
  TOLERANCE_EXCEEDS_DIFFERENCE: "the pruning tolerance is larger than the difference that is explained",
  HISTORY_OFFSETS: "effects in the pruned history cancel each other",
};

/** What an explanation warns of. */
export function warningWords(code: string): string {
  return WARNINGS[code] ?? code.toLowerCase().replaceAll("_", " ");
}

/** Whether variants are checkpoints of a model's training, and not only seeds or tolerances. */
export function hasCheckpoints(variants: readonly string[]): boolean {
  return variants.length > 1 && variants.some((each) => each.startsWith("checkpoint="));
}

/** The end of a range of scores, also of tiny ones, which must not all look the same: 0.00012, 0.65. */
export function edgeWords(x: number): string {
  return x !== 0 && Math.abs(x) < 0.01 ? String(Number(x.toPrecision(2))) : plainNumber(x);
}
