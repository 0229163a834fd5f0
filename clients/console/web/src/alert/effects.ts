/** The effects of one explanation: the attributions of a level for one target, with their 95 % intervals. */

import type { Attribution, LevelResult, PlayerKind } from "../api/types";
import { NORMAL_95 } from "../format/numbers";

export interface Effect {
  /** The same for the same player in two explanations. */
  key: string;
  kind: PlayerKind;
  t: number | null;
  firstT: number | null;
  lastT: number | null;
  feature: string | null;
  value: number;
  standardError: number;
  low: number;
  high: number;
  /** Whether it is unclear that this player is among those above the threshold of cells. */
  selectionUncertain: boolean;
}

export type Level = "event" | "feature" | "cell";

export type Interval = Pick<Effect, "value" | "standardError" | "low" | "high">;

/** Returns an estimate with its 95 % interval. */
export function interval(value: number, standardError: number): Interval {
  const half = NORMAL_95 * standardError;
  return { value, standardError, low: value - half, high: value + half };
}

export function toEffect(item: Attribution, target: number): Effect {
  return {
    key: playerKey(item),
    kind: item.kind,
    t: item.t,
    firstT: item.first_t,
    lastT: item.last_t,
    feature: item.feature,
    ...interval(item.values[target] ?? 0, item.standard_errors[target] ?? 0),
    selectionUncertain: item.selection_uncertain,
  };
}

export function effectsOf(level: LevelResult | null, target: number): Effect[] {
  return (level?.attributions ?? []).map((item) => toEffect(item, target));
}

/** Whether a value of 0 is inside the interval, so that even its direction is not known. */
export function spansZero(effect: Pick<Effect, "low" | "high">): boolean {
  return effect.low <= 0 && effect.high >= 0;
}

/** The events that were not told apart: the pruned ones, or the blocks that they were split into. */
export function isOlder(effect: Pick<Effect, "kind">): boolean {
  return effect.kind === "pruned" || effect.kind === "history";
}

export function byStrength(a: Effect, b: Effect): number {
  return Math.abs(b.value) - Math.abs(a.value);
}

function playerKey(item: Attribution): string {
  // The pruned events are one player, however many there are, so that two explanations line up.
  if (item.kind === "pruned") return "pruned";
  if (item.kind === "history") return `history:${item.first_t}:${item.last_t}`;
  return [item.kind, item.t ?? "", item.feature ?? ""].join(":");
}
