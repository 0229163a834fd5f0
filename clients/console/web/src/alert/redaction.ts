/**
 * What a shared file keeps when names are redacted: names of features, numbers and kinds of players. What a caller or
 * a person wrote is replaced, by the same rule as the console's own exports.
 */

import type { AlertDocument, ExplanationJson, HistoryEvent, HistoryValue } from "../api/types";

export const REDACTED = "redacted";

export function redacted(document: AlertDocument): AlertDocument {
  const model = new Map(document.explanation.event_values.map((each) => [each.t, each.values]));
  return {
    ...document,
    id: REDACTED,
    explanation: redactedExplanation(document.explanation),
    history: document.history.map((each) => redactedEvent(each, model.get(each.t) ?? {}, units(document))),
    labels: [],
    source: document.source.kind === "cohort" ? { ...document.source, cohort: REDACTED } : document.source,
  };
}

function redactedExplanation(explanation: ExplanationJson): ExplanationJson {
  return {
    ...explanation,
    name: REDACTED,
    caller_id: REDACTED,
    labels: {},
    requested_by: REDACTED,
    // Sentences quote the texts of the caller; the facts behind them stay.
    reasons: explanation.reasons.map((each) => ({ ...each, text: reasonText(explanation, each) })),
    event_values: explanation.event_values.map((each) => ({
      ...each,
      info: { id: REDACTED, time: each.info.time, display: {} },
    })),
  };
}

function reasonText(explanation: ExplanationJson, reason: ExplanationJson["reasons"][number]): string {
  const label =
    explanation.feature_info.find((each) => each.name === reason.feature)?.label ?? reason.feature ?? "";
  const value = explanation.event_values.find((each) => each.t === reason.t)?.values[reason.feature ?? ""];
  const what = [label, value].filter(Boolean).join(" ") || "The event";
  return `${what}${reason.t === null ? "" : `, t = ${reason.t}`}`.replace("-", "−");
}

function units(document: AlertDocument): Map<string, string> {
  return new Map(document.features.map((each) => [each.name, each.unit]));
}

function redactedEvent(
  event: HistoryEvent,
  model: Record<string, string>,
  unitsOf: Map<string, string>,
): HistoryEvent {
  const values = Object.entries(event.values).map(([name, value]): [string, HistoryValue] => [
    name,
    { ...value, text: ownText(value, model[name], unitsOf.get(name)) },
  ]);
  return { ...event, id: REDACTED, values: Object.fromEntries(values) };
}

/** The model's value in place of the caller's text; words of old events are known from the caller only. */
function ownText(value: HistoryValue, model: string | undefined, unit: string | undefined): string {
  const number = value.number === null ? "" : value.number.toLocaleString("en", { maximumFractionDigits: 4 });
  const text = model || number;
  if (!text) return REDACTED;
  return unit && value.number !== null ? `${text} ${unit}` : text;
}
