/** The numbers of figures as rows of text. */

import { spansZero, type Effect } from "./effects";
import type { Phrases } from "./phrases";

export const EFFECT_COLUMNS = ["What", "Effect", "95 % interval", "Direction"] as const;

export function effectRows(effects: readonly Effect[], phrases: Phrases): string[][] {
  return effects.map((each) => [
    phrases.player(each) + (each.selectionUncertain ? " (its place here is uncertain)" : ""),
    phrases.signed(each.value),
    phrases.margin(each.standardError),
    direction(each),
  ]);
}

export function direction(effect: Pick<Effect, "value" | "low" | "high">): string {
  if (effect.value === 0 && effect.low === effect.high) return "none";
  if (spansZero(effect)) return "not clear";
  return effect.value > 0 ? "raised" : "lowered";
}
