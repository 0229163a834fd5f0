/** What a figure shows, in a sentence. */

import { counted } from "../format/numbers";
import { byStrength, isOlder, spansZero, type Effect } from "./effects";
import type { Phrases } from "./phrases";

export function eventsNote(effects: readonly Effect[], phrases: Phrases): string {
  const [strongest] = effects.filter((each) => each.kind === "event").sort(byStrength);
  const older = effects.filter(isOlder);
  const first = strongest
    ? `Most of it comes from the ${phrases.player(strongest)}: ${phrases.raised(strongest)}. `
    : "";
  const after = older.length > 1 ? `The older events are split into ${older.length} parts, on the left.` : "";
  return first + (after || (older.length ? "The older events together stand on the left." : ""));
}

export function featuresNote(effects: readonly Effect[], phrases: Phrases): string {
  const [strongest] = effects.filter((each) => each.kind === "feature").sort(byStrength);
  const unclear = effects.filter((each) => each.standardError > 0 && spansZero(each)).length;
  const first = strongest
    ? `${phrases.player(strongest)}, over all events, ${phrases.raised(strongest)}. `
    : "";
  return first + (unclear ? `For ${counted(unclear, "line")} even the direction is not clear.` : "");
}

export function cellsNote(effects: readonly Effect[]): string {
  const own = effects.filter((each) => each.kind === "cell").length;
  return (
    `${counted(own, "fact")} ${own === 1 ? "has" : "have"} a number of ${own === 1 ? "its" : "their"} own. ` +
    "The squares with “other facts”, and the bars below, hold everything else, so that nothing is left out."
  );
}
