/** What a figure shows, in a sentence. */

import type { LevelResult } from "../api/types";
import { counted } from "../format/numbers";
import { byStrength, isOlder, spansZero, toEffect, type Effect } from "./effects";
import { listed, sentenceStart } from "../format/words";
import { theEvent, type Phrases } from "./phrases";

export function eventsNote(effects: readonly Effect[], phrases: Phrases): string {
  const [strongest] = effects.filter((each) => each.kind === "event").sort(byStrength);
  const older = effects.filter(isOlder);
  const first = !strongest
    ? ""
    : strongest.value === 0
      ? "No event changed the score. "
      : `Most of it comes from ${theEvent(strongest.t ?? 0)}: ${phrases.raised(strongest)}. `;
  const after = older.length > 1 ? `The older events are split into ${older.length} parts, on the left.` : "";
  return first + (after || (older.length ? "The older events together stand on the left." : ""));
}

export function featuresNote(effects: readonly Effect[], phrases: Phrases): string {
  const [strongest] = effects.filter((each) => each.kind === "feature").sort(byStrength);
  const unclear = effects.filter((each) => each.standardError > 0 && spansZero(each)).length;
  const first = !strongest
    ? ""
    : strongest.value === 0
      ? "No feature changed the score. "
      : `${phrases.player(strongest)} ${phrases.raised(strongest)}. `;
  return first + (unclear ? `For ${counted(unclear, "line")} even the direction is not clear.` : "");
}

export function cellsNote(effects: readonly Effect[]): string {
  const own = effects.filter((each) => each.kind === "cell").length;
  return (
    `${counted(own, "fact")} ${own === 1 ? "has" : "have"} a number of ${own === 1 ? "its" : "their"} own. ` +
    "The squares with “other facts”, and the bars below, hold everything else, so that nothing is left out."
  );
}

const MOST_NAMES = 3;

/** The events and features that were almost strong enough to have single facts shown; empty if there are none. */
export function nearMissNote(level: LevelResult | null, target: number, phrases: Phrases): string {
  const near = (level?.quality.near_misses ?? []).map((each) => toEffect(each, target));
  if (!near.length) return "";
  const names = near
    .slice(0, MOST_NAMES)
    .map((each) => (each.kind === "event" ? theEvent(each.t ?? 0) : phrases.player(each)));
  const more = near.length - names.length;
  return `${sentenceStart(listed(more > 0 ? [...names, `${more} more`] : names))} just missed having single facts of ${near.length === 1 ? "its" : "their"} own.`;
}
