/** Where a value stands among others, in a few characters and in a sentence. */

import { ordinal } from "../format/numbers";

import type { Standing } from "../api/types";

/** With fewer values to compare with, a rank says more than a percentage. */
const FEWEST_FOR_PERCENT = 20;

/** "97 %", "3rd of 12"; for words the share of events that have the same word. */
export function standingText(standing: Standing): string {
  if (standing.rank !== null && standing.n < FEWEST_FOR_PERCENT)
    return `${ordinal(standing.rank)} of ${standing.n + 1}`;
  return `${percentText(standing.percent)} %`;
}

/** The same as a sentence; `among` is such as "this account's 46 earlier events". */
export function standingSentence(standing: Standing, among: string): string {
  if (standing.rank === null) return `${percentText(standing.percent)} % of ${among} have this value.`;
  if (standing.n < FEWEST_FOR_PERCENT)
    return `Counted from the smallest, the ${ordinal(standing.rank)} of ${standing.n + 1}: it and ${among}.`;
  return `Higher than ${percentText(standing.percent)} % of ${among} (equal ones count half).`;
}

/** Whole percent, but never 0 or 100 where some are below or above. */
export function percentText(percent: number): string {
  if (percent > 0 && percent < 1) return "< 1";
  if (percent < 100 && percent > 99) return "> 99";
  return percent.toFixed(0);
}
