/** What the page on a cohort shows beside what it always shows; kept in its address. */

import type { CohortDescription } from "../api/types";

export interface CohortChoices {
  variant: string;
  dots: boolean;
  /** The group that is compared. */
  by: string;
  feature: string;
  outcome: string;
  /** The raw score from which a sequence is flagged; null until one is chosen. */
  threshold: number | null;
  /** A label that makes periods; empty for the time. */
  periodLabel: string;
  before: string;
  after: string;
  /** What the cohort is compared with: another cohort, and a variant of it. */
  other: string;
  otherVariant: string;
}

export function defaultChoices(cohort: CohortDescription): CohortChoices {
  const { label, positive, variant, threshold } = cohort.suggested;
  const [before, after] = halves(cohort.from, cohort.to);
  const periods = before === "" ? periodLabel(cohort) : "";
  return {
    variant,
    dots: true,
    by: groupBy(cohort),
    feature: "",
    outcome: label ? `${label}=${positive}` : "",
    threshold,
    periodLabel: periods,
    before: periods ? (cohort.labels[periods]?.[0]?.value ?? "") : before,
    after: periods ? (cohort.labels[periods]?.[1]?.value ?? "") : after,
    other: cohort.variants.length > 1 ? cohort.name : "",
    otherVariant: cohort.variants.find((name) => name !== variant) ?? "",
  };
}

/** Takes from an address what is known and of the right kind, since anything may stand there. */
export function choicesOf(view: Record<string, unknown> | null, defaults: CohortChoices): CohortChoices {
  const found = { ...defaults };
  if (!view) return found;
  const target = found as unknown as Record<string, unknown>;
  for (const [name, value] of Object.entries(defaults))
    if (typeof view[name] === typeof value) target[name] = view[name];
  const { threshold } = view;
  found.threshold =
    typeof threshold === "number" && Number.isFinite(threshold) ? threshold : defaults.threshold;
  return found;
}

/** Age is what fairness is asked about first, then any label that is not the outcome, then any feature. */
function groupBy(cohort: CohortDescription): string {
  const age = cohort.values ? cohort.features.find((each) => /(^|_)age($|_)/.test(each.name)) : undefined;
  if (age) return `feature:${age.name}`;
  const label = Object.keys(cohort.labels).find((name) => name !== cohort.suggested.label);
  if (label !== undefined) return `label:${label}`;
  return cohort.values && cohort.features[0] ? `feature:${cohort.features[0].name}` : "";
}

function periodLabel(cohort: CohortDescription): string {
  const pairs = Object.entries(cohort.labels).filter(([, values]) => values.length >= 2);
  const named = pairs.find(([name]) => /period|month|year|quarter|week/.test(name));
  return (named ?? pairs.find(([name]) => name !== cohort.suggested.label) ?? pairs[0])?.[0] ?? "";
}

/** The two halves of the time of a cohort, as periods; empty where all have the same time. */
export function halves(from: string | null, to: string | null): [string, string] {
  if (from === null || to === null) return ["", ""];
  const [first, last] = [Date.parse(from), Date.parse(to)];
  if (!(last > first)) return ["", ""];
  const middle = iso((first + last) / 2);
  return [`${iso(first)}/${middle}`, `${middle}/${iso(last + 1000)}`];
}

function iso(milliseconds: number): string {
  return new Date(milliseconds).toISOString().slice(0, 19);
}
