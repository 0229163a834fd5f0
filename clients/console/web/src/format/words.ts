/** The words of the console for what models and explanations call by letters. */

import type { Verdict } from "../api/types";
import { count } from "./numbers";

/** Which event: "latest event" for t = 0, "2 before the latest" for t = −2. */
export function eventWords(t: number): string {
  return t === 0 ? "latest event" : `${count(-t)} before the latest`;
}

/** For axes and narrow columns: "latest", "−2". */
export function eventShort(t: number): string {
  return t === 0 ? "latest" : `−${count(-t)}`;
}

/** Where an effect goes: "raised the score", "lowered the score", "left the score as it was". */
export function direction(value: number): string {
  if (value === 0) return "left the score as it was";
  return value > 0 ? "raised the score" : "lowered the score";
}

const VERDICTS: Record<Verdict, string> = {
  fraud: "Fraud",
  false_positive: "False positive",
  undecided: "Undecided",
  reason_wrong: "Reason wrong",
  note: "Note",
};

export function verdictWords(verdict: Verdict): string {
  return VERDICTS[verdict];
}

/** "the event" → "The event". */
export function sentenceStart(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/** ["a", "b", "c"] → "a, b and c". */
export function listed(words: readonly string[]): string {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

/** Who said or did something: the name, and whether somebody only typed it; empty if nobody is named. */
export function personText(entry: { who: string; verified: boolean }): string {
  return entry.who && !entry.verified ? `${entry.who} (not verified)` : entry.who;
}
