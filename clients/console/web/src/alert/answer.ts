/** The answer in two sentences, and how the numbers of the page are to be read. */

import type { AlertDocument } from "../api/types";
import { score } from "../format/numbers";
import { byStrength, effectsOf, spansZero } from "./effects";
import { sentenceStart } from "../format/words";
import { theEvent, type Phrases } from "./phrases";

/** From where to where the score moved, and which event did most of it. */
export function answer(document: AlertDocument, phrases: Phrases): string {
  const target = document.explanation.targets[document.target];
  if (!target) return "";
  const moved =
    target.raw_base_value === null
      ? `The score is ${score(target.raw_score)}.`
      : `The score went from ${score(target.raw_base_value)} (without information) to ${score(target.raw_score)}.`;
  const [strongest] = effectsOf(document.explanation.event_level, document.target)
    .filter((each) => each.kind === "event" && !spansZero(each))
    .sort(byStrength);
  return strongest
    ? `${moved} ${sentenceStart(theEvent(strongest.t ?? 0))} ${phrases.raised(strongest)}, more than any other.`
    : moved;
}

export function readingNotes(document: AlertDocument, phrases: Phrases): string {
  const target = document.explanation.targets[document.target];
  const whole = phrases.signed((target?.score ?? 0) - (target?.base_value ?? 0));
  const scale =
    document.explanation.options.link === "identity"
      ? ""
      : " The score is a probability; the effects are in log-odds.";
  return (
    `Events, features and single facts are three separate breakdowns, and each adds up to ${whole}. ` +
    `± and whiskers show the 95 % interval.${scale}`
  );
}
