/** Which reasons the page shows: at most four of the target, none of whose interval spans 0. */

import type { Reason } from "../api/types";
import { interval } from "./effects";

/** More are "not likely to be helpful" (Regulation B, official interpretation of § 1002.9(b)(2)). */
export const MOST_REASONS = 4;

export interface ShownReason {
  reason: Reason;
  /** "2", or "2=" where several share the rank. */
  rank: string;
  /** Whether others have the same rank, since their effects cannot be told apart. */
  shared: boolean;
  low: number;
  high: number;
}

export function shownReasons(reasons: readonly Reason[], target: string): ShownReason[] {
  const clear = reasons.filter((each) => each.target === target).map(withInterval);
  const shown = clear.filter((each) => each.low > 0 || each.high < 0).slice(0, MOST_REASONS);
  return shown.map((each) => ({ ...each, ...rankOf(each.reason, shown) }));
}

/** Marks all reasons that share a rank, as the command does. */
function rankOf(
  { rank }: Reason,
  shown: readonly { reason: Reason }[],
): Pick<ShownReason, "rank" | "shared"> {
  const shared = shown.filter((each) => each.reason.rank === rank).length > 1;
  return { rank: shared ? `${rank}=` : `${rank}`, shared };
}

function withInterval(reason: Reason): Omit<ShownReason, "rank" | "shared"> {
  const { low, high } = interval(reason.value, reason.standard_error);
  return { reason, low, high };
}

/** The cells of the history that a reason is about: of one event, of one feature, or one cell. */
export interface Highlight {
  t: number | null;
  feature: string | null;
}

export function isHighlighted(at: Highlight | null, t: number, feature: string): boolean {
  if (at === null || (at.t === null && at.feature === null)) return false;
  return (at.t === null || at.t === t) && (at.feature === null || at.feature === feature);
}
