/** The numbers of figures as rows of text. */

import { margin, signed } from "../format/numbers";
import { spansZero, type Effect } from "./effects";
import type { Names } from "./names";

export const EFFECT_COLUMNS = ["What", "Effect", "95 % interval", "Direction"] as const;

export function effectRows(effects: readonly Effect[], names: Names): string[][] {
  return effects.map((each) => [
    names.player(each) + (each.selectionUncertain ? " (its place here is uncertain)" : ""),
    signed(each.value, 4),
    margin(each.standardError),
    direction(each),
  ]);
}

export function direction(effect: Pick<Effect, "value" | "low" | "high">): string {
  if (effect.value === 0 && effect.low === effect.high) return "none";
  if (spansZero(effect)) return "not clear";
  return effect.value > 0 ? "raised" : "lowered";
}

/** Values from 100 % and more of the whole to none: strongest first. */
export function total(effects: readonly Effect[]): number {
  return effects.reduce((sum, each) => sum + each.value, 0);
}
