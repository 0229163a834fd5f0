/**
 * What a shared file keeps when names are left out: names and words of the model, numbers and kinds of players. What a
 * caller or a person wrote, ids and times of events are left out, by the same rule as in the console's own exports.
 */

import type {
  AlertDocument,
  ExplanationJson,
  FeatureDetail,
  HistoryEvent,
  HistoryValue,
  Reason,
} from "../api/types";

import { eventWords } from "../format/words";

export const REDACTED = "left out";
/** What the page calls the alert. */
const NAMELESS = "Alert, names left out";

export function redacted(document: AlertDocument): AlertDocument {
  return {
    ...document,
    id: REDACTED,
    explanation: redactedExplanation(document.explanation),
    history: document.history.map((each) => redactedEvent(each, document)),
    labels: [],
    source: document.source.kind === "cohort" ? { ...document.source, cohort: REDACTED } : document.source,
  };
}

function redactedExplanation(explanation: ExplanationJson): ExplanationJson {
  return {
    ...explanation,
    name: REDACTED,
    caller_id: NAMELESS,
    labels: {},
    requested_by: REDACTED,
    // Sentences quote the texts of the caller; the facts behind them stay.
    reasons: explanation.reasons.map((each) => ({ ...each, text: reasonText(explanation, each) })),
    event_values: explanation.event_values.map((each) => ({
      ...each,
      info: { id: REDACTED, time: null, display: {} },
    })),
  };
}

/** "Amount at the latest event": the sentence of the template may have texts of the caller in it. */
function reasonText(explanation: ExplanationJson, { t, feature }: Reason): string {
  const label = explanation.feature_info.find((each) => each.name === feature)?.label || feature;
  const where = t === null ? "" : t === 0 ? "the latest event" : `the event ${eventWords(t)}`;
  const text = [label, where].filter(Boolean).join(" at ");
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

function redactedEvent(event: HistoryEvent, document: AlertDocument): HistoryEvent {
  const model = document.explanation.event_values.find((each) => each.t === event.t)?.values ?? {};
  const values = Object.entries(event.values).map(([name, value]): [string, HistoryValue] => {
    const detail = document.features.find((each) => each.name === name);
    return [name, { ...value, modelText: "", text: ownText(value, model[name], detail) }];
  });
  return { ...event, id: REDACTED, time: null, values: Object.fromEntries(values) };
}

/** The model's value in place of the caller's text: a number, or a word that the model knows. */
function ownText(value: HistoryValue, model: string | undefined, detail: FeatureDetail | undefined): string {
  if (detail?.categories.includes(value.text)) return value.text;
  const number = value.number === null ? "" : value.number.toLocaleString("en", { maximumFractionDigits: 4 });
  const text = model || number;
  if (!text) return REDACTED;
  return detail?.unit && value.number !== null ? `${text} ${detail.unit}` : text;
}
