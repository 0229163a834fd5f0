/** How many sequences have an event of their own at each step: a difference of cells is also one of these. */

import type { EventTable } from "./eventTable";

/** Classes whose shares differ by more than this at a step are told. */
export const MOST_DIFFERENCE = 0.1;

export interface StepCoverage {
  /** 0 is the oldest. */
  step: number;
  positive: number;
  negative: number;
}

/** A sequence has at most one event at a step. Pruned events are none of its own. */
export function coverage({ header, sequence, step, positive }: EventTable): StepCoverage[] {
  const found = Array.from({ length: header.steps }, (_, each) => ({ step: each, positive: 0, negative: 0 }));
  for (let e = 0; e < sequence.length; e++) {
    const here = found[step[e] as number];
    if (here) here[positive[sequence[e] as number] ? "positive" : "negative"]++;
  }
  return found;
}

/** The steps at which the shares of both classes differ by more than 10 points, the most different first. */
export function unevenSteps(
  found: readonly StepCoverage[],
  { positives, negatives }: { positives: number; negatives: number },
): StepCoverage[] {
  if (!positives || !negatives) return [];
  const apart = (each: StepCoverage): number =>
    Math.abs(each.positive / positives - each.negative / negatives);
  return found.filter((each) => apart(each) > MOST_DIFFERENCE + 1e-12).sort((a, b) => apart(b) - apart(a));
}
