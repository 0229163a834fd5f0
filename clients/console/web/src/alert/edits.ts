/** Changed values: a list with at most one for each cell. */

import type { AlertDocument, Edit, FeatureDetail } from "../api/types";

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

export function currentNumber(document: AlertDocument, t: number, feature: string): number | null {
  return document.history.find((each) => each.t === t)?.values[feature]?.number ?? null;
}

/** The value as people read it: with its unit, or the word. */
export function editText(document: AlertDocument, edit: Edit): string {
  const unit = document.features.find((each) => each.name === edit.feature)?.unit ?? "";
  if (typeof edit.to === "string") return edit.to;
  const number = edit.to.toLocaleString("en", { maximumFractionDigits: 4 });
  return unit ? `${number} ${unit}` : number;
}
