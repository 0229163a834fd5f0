/** Changed values: a list with at most one for each cell. */

import type { AlertDocument, Edit, FeatureDetail, HistoryValue } from "../api/types";

export function withEdit(edits: readonly Edit[], edit: Edit): Edit[] {
  return [...withoutEdit(edits, edit), edit].sort((a, b) => b.t - a.t || a.feature.localeCompare(b.feature));
}

export function withoutEdit(edits: readonly Edit[], at: Pick<Edit, "t" | "feature">): Edit[] {
  return edits.filter((each) => each.t !== at.t || each.feature !== at.feature);
}

export function editableFeatures(document: AlertDocument): FeatureDetail[] {
  // What no client can change stands last, so that nobody starts there.
  return document.features.filter((each) => each.editable).sort((a, b) => Number(a.fixed) - Number(b.fixed));
}

export function currentValue(document: AlertDocument, t: number, feature: string): string {
  return document.history.find((each) => each.t === t)?.values[feature]?.text ?? "";
}

/** "3,087.84 EUR, to the model 3,087.81 EUR": the caller's text, with the model's value where it differs. */
export function valueWords(value: Pick<HistoryValue, "text" | "modelText"> | undefined): string {
  if (!value?.modelText || value.modelText === value.text) return value?.text ?? "";
  return `${value.text}, to the model ${value.modelText}`;
}

export function saidValue(document: AlertDocument, t: number, feature: string): string {
  return valueWords(document.history.find((each) => each.t === t)?.values[feature]);
}

/** Why a value was not taken, with what would be. */
export function refusedValue(document: AlertDocument, edit: Edit): string {
  const detail = document.features.find((each) => each.name === edit.feature);
  const known = detail?.range
    ? ` Known events have ${number(detail.range.low)} to ${number(detail.range.high)}.`
    : "";
  return `${detail?.label || edit.feature} cannot be ${editText(document, edit)}.${known}`;
}

export function currentNumber(document: AlertDocument, t: number, feature: string): number | null {
  return document.history.find((each) => each.t === t)?.values[feature]?.number ?? null;
}

/** The value as people read it: with its unit, or the word. */
export function editText(document: AlertDocument, edit: Edit): string {
  const unit = document.features.find((each) => each.name === edit.feature)?.unit ?? "";
  if (typeof edit.to === "string") return edit.to;
  return unit ? `${number(edit.to)} ${unit}` : number(edit.to);
}

function number(value: number): string {
  return value.toLocaleString("en", { maximumFractionDigits: 4 }).replace("-", "−");
}
