/** A small alert for tests: three events, of which the oldest is pruned, and two features. */

import type {
  AlertDocument,
  Attribution,
  HistoryEvent,
  HistoryValue,
  LevelResult,
  Reason,
} from "../api/types";

export function attribution(
  kind: Attribution["kind"],
  value: number,
  standardError: number,
  place: Partial<Attribution> = {},
): Attribution {
  const nowhere = { t: null, first_t: null, last_t: null, feature: null, selection_uncertain: false };
  return { kind, values: [value], standard_errors: [standardError], ...nowhere, ...place };
}

export function level(...attributions: Attribution[]): LevelResult {
  return {
    attributions,
    quality: {
      stop_reason: "exact",
      detail: "",
      players: attributions.length,
      coalitions: 8,
      largest_standard_error: 0,
      additivity_residual: 0,
      clipped_coalitions: 0,
      selection_truncated: false,
      near_misses: [],
      seconds: 0,
      estimator: "",
      null_players: 0,
    },
  };
}

export function reason(value: number, standardError: number, more: Partial<Reason> = {}): Reason {
  return {
    text: "The amount of 900 EUR, sent by Ms Example, points to a takeover.",
    kind: "cell",
    value,
    standard_error: standardError,
    rank: 1,
    tied: false,
    t: 0,
    feature: "amount",
    target: "takeover",
    template: "templates[0]",
    template_version: "1",
    ...more,
  };
}

function value(text: string, number: number | null, effect: number | null = null): HistoryValue {
  const effectError = effect === null ? null : 0.01;
  return { text, number, modelText: "", own: null, cohort: null, effect, effectError };
}

function event(t: number, amount: HistoryValue, effect: number | null): HistoryEvent {
  const values = { amount, device: value("own phone", null), country: value("home", null) };
  const standardError = effect === null ? null : 0;
  return {
    t,
    id: `event-${t}`,
    time: "2026-04-02T17:34:43+00:00",
    pruned: effect === null,
    values,
    value: effect,
    standardError,
  };
}

const FEATURES = [
  { name: "device", label: "Device", unit: "", description: "", static: false },
  { name: "amount", label: "Amount", unit: "EUR", description: "", static: false },
  { name: "country", label: "Country", unit: "", description: "", static: false },
];

export function testDocument(changed: Partial<AlertDocument> = {}): AlertDocument {
  const able = { ok: true, why: "" };
  return {
    id: "abc",
    source: { kind: "service" },
    target: 0,
    explanation: {
      name: "explanations/abc",
      create_time: "2026-04-02T18:00:00+00:00",
      caller_id: "account-7",
      labels: { outcome: "known thief" },
      model: "models/m/versions/2",
      model_digest: "11",
      background: "",
      background_digest: "22",
      length: 3,
      targets: [
        {
          name: "takeover",
          base_value: 0.1,
          score: 0.8,
          raw_base_value: 0.1,
          raw_score: 0.8,
          label: "Takeover",
        },
      ],
      explained: true,
      pruning: {
        pruned_events: 1,
        tolerances: [0.025],
        scan_complete: true,
        curve: [
          { t: -1, importances: [0.3] },
          { t: -2, importances: [0.01] },
        ],
        values: [0.05],
        standard_errors: [0],
        verdicts: ["within"],
        history_values: [],
        quality: null,
      },
      event_level: level(
        attribution("pruned", 0.05, 0, { first_t: -2, last_t: -2 }),
        attribution("event", 0.25, 0, { t: -1 }),
        attribution("event", 0.4, 0, { t: 0 }),
      ),
      feature_level: level(
        attribution("pruned", 0.05, 0.01, { first_t: -2, last_t: -2 }),
        attribution("feature", 0.15, 0.01, { feature: "device" }),
        attribution("feature", 0.5, 0.01, { feature: "amount" }),
        attribution("feature", 0, 0, { feature: "country" }),
      ),
      cell_level: null,
      options: { seed: 0, minimum_score: null, link: "identity" },
      feature_info: FEATURES,
      event_values: [
        { t: 0, values: { amount: "899.50" }, info: { id: "event-0", time: null, display: {} } },
      ],
      static_values: {},
      method_version: "3",
      cut_short: false,
      warnings: [],
      output_count: 1,
      reasons: [reason(0.4, 0.01)],
      event_weights: [],
      requested_by: "anna",
    },
    threshold: { value: 0.5, source: "label" },
    alert: true,
    history: [
      event(-2, value("20 EUR", 20), null),
      event(-1, value("0 EUR", 0), 0.25),
      event(0, value("900 EUR, sent by Ms Example", 899.5, 0.4), 0.4),
    ],
    cohortEvents: 100,
    reference: "",
    features: FEATURES.map((each) => ({
      ...each,
      kind: each.unit ? "numeric" : "categorical",
      categories: each.unit ? [] : ["own phone", "new phone"],
      range: each.unit ? { low: 0, high: 1000 } : null,
      editable: true,
      fixed: each.name === "device",
      constant: each.name === "country",
    })),
    labels: [],
    quality: [{ level: "event", text: "exact", standardError: 0, exact: true }],
    cautions: [],
    capabilities: {
      history: able,
      percentiles: able,
      score: able,
      explain: able,
      replay: able,
      changes: able,
      similar: able,
      label: able,
    },
    edits: [],
    ...changed,
  };
}
