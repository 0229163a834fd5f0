/** The JSON of the console's API. `sequela_console` makes these values; docs/console.md lists the routes. */

/** Codes of roles of the service. */
export type Role = "read" | "explain" | "admin";

export interface Session {
  /** Whether the name is only what the person typed, because the service asks nobody. */
  nameVerified: boolean;
  /** Whether somebody is logged in, or the service asks nobody who they are. */
  ready: boolean;
  /** Whether the service asks for a token. */
  loginNeeded: boolean;
  /** Who is logged in; empty where the service asks nobody. */
  name: string;
  roles: Role[];
  service: ServiceState;
  version: string;
  /** Whether the index of alerts still reads what the service has. */
  index: IndexState;
  cohorts: number;
}

export interface ServiceState {
  state: "up" | "down" | "refused";
  address: string;
  /** What is wrong and what to do; empty if it is up. */
  message: string;
  /** Whether the service asks who calls. */
  loginNeeded: boolean;
}

export interface IndexState {
  alerts: number;
  /** Explanations that are known to exist and not read yet. */
  pending: number;
  complete: boolean;
  /** ISO time of the last complete look at the service; null before the first. */
  updated: string | null;
  /** What people must know about the index, as a sentence; empty if there is nothing. */
  warning: string;
}

export interface ApiError {
  error: { reason: string; message: string; field?: string };
}

/** The first three decide, and the latest of them counts; the others are remarks. */
export type Verdict = "fraud" | "false_positive" | "undecided" | "reason_wrong" | "note";
export type Decision = "fraud" | "false_positive" | "undecided";

export interface AlertLabel {
  id: number;
  verdict: Verdict;
  note: string;
  /** Which reason is wrong, for reason_wrong. */
  reason: { kind: PlayerKind; t: number | null; feature: string | null; template: string } | null;
  who: string;
  /** Whether the service says that this is the name; otherwise somebody typed it. */
  verified: boolean;
  when: string;
}

/** Of POST /api/alerts/{id}/labels. 409 DECIDED_MEANWHILE if `previous` is not the latest decision. */
export interface NewLabel {
  verdict: Verdict;
  note?: string;
  reason?: AlertLabel["reason"];
  /** The id of the latest decision that the person saw; null if there was none. Only for decisions. */
  previous?: number | null;
}

export interface TrailEntry {
  action: "opened" | "labelled" | "replayed" | "shared" | "exported" | "explained" | "scored" | "embedded";
  detail: string;
  who: string;
  /** Whether the service says that this is the name; otherwise somebody typed it. */
  verified: boolean;
  when: string;
}

export interface Threshold {
  /** On the scale of the raw score; null if there is none. */
  value: number | null;
  /** Where it comes from. */
  source: "label" | "setting" | "default" | "none";
}

/** One line of the list. */
export interface AlertSummary {
  id: string;
  created: string;
  /** When the explained event happened, if the caller said so. */
  happened: string | null;
  callerId: string;
  labels: Record<string, string>;
  model: string;
  target: string;
  targetLabel: string;
  /** Before the link. */
  score: number;
  base: number | null;
  threshold: Threshold;
  /** Whether the score is at or above the threshold; null without one. */
  alert: boolean | null;
  events: number;
  /** The features among the reasons, strongest first, with the sign of their effect. */
  reasons: { feature: string; label: string; value: number }[];
  /** The latest decision; null while there is none. */
  decision: { id: number; verdict: Decision; who: string; when: string } | null;
  notes: number;
  /** Whether reasons and effects have been read from the service yet. */
  detailed: boolean;
}

export interface AlertPage {
  alerts: AlertSummary[];
  /** How many there are with these filters. */
  total: number;
  next: string | null;
  previous: string | null;
  /** What can be chosen in filters. */
  facets: { models: string[]; labels: Record<string, string[]>; features: { name: string; label: string }[] };
}

export interface Neighbours {
  previous: string | null;
  next: string | null;
  /** From 1. */
  position: number | null;
  total: number;
}

export type PlayerKind =
  | "event"
  | "feature"
  | "cell"
  | "event_rest"
  | "feature_rest"
  | "other"
  | "pruned"
  | "history"
  | "static"
  | "unknown";

/** The explanation as the client exports it (`Explanation.to_json`); names are those of the contract. */
export interface Attribution {
  kind: PlayerKind;
  values: number[];
  standard_errors: number[];
  t: number | null;
  first_t: number | null;
  last_t: number | null;
  feature: string | null;
  selection_uncertain: boolean;
}

export interface Quality {
  stop_reason: "exact" | "target" | "budget" | "deadline" | "not_computed" | "unknown";
  detail: string;
  players: number;
  coalitions: number;
  largest_standard_error: number;
  additivity_residual: number;
  clipped_coalitions: number;
  selection_truncated: boolean;
  near_misses: Attribution[];
  seconds: number;
  estimator: string;
  null_players: number;
}

export interface LevelResult {
  attributions: Attribution[];
  quality: Quality;
}

export interface TargetScore {
  name: string;
  base_value: number | null;
  score: number;
  raw_base_value: number | null;
  raw_score: number;
  label: string;
}

export interface PruningResult {
  pruned_events: number;
  tolerances: number[];
  scan_complete: boolean;
  curve: { t: number; importances: number[] }[];
  values: number[];
  standard_errors: number[];
  verdicts: ("within" | "exceeds" | "uncertain" | "offsetting" | "unknown")[];
  history_values: number[];
  quality: Quality | null;
}

export interface FeatureInfo {
  name: string;
  label: string;
  unit: string;
  description: string;
  static: boolean;
}

export interface Reason {
  text: string;
  kind: PlayerKind;
  value: number;
  standard_error: number;
  rank: number;
  tied: boolean;
  t: number | null;
  feature: string | null;
  target: string;
  template: string;
  template_version: string;
}

export interface ExplanationJson {
  name: string;
  create_time: string;
  caller_id: string;
  labels: Record<string, string>;
  model: string;
  model_digest: string;
  background: string;
  background_digest: string;
  length: number;
  targets: TargetScore[];
  explained: boolean;
  pruning: PruningResult | null;
  event_level: LevelResult | null;
  feature_level: LevelResult | null;
  cell_level: LevelResult | null;
  options: Record<string, unknown> & { seed: number; minimum_score: number | null; link: string };
  feature_info: FeatureInfo[];
  event_values: { t: number; values: Record<string, string>; info: EventInfo }[];
  static_values: Record<string, string>;
  method_version: string;
  cut_short: boolean;
  warnings: { reason: string; message: string }[];
  output_count: number;
  reasons: Reason[];
  event_weights: number[];
  /** Who asked the service for it; empty or missing where it is not recorded. */
  requested_by?: string;
}

export interface EventInfo {
  id: string;
  time: string | null;
  display: Record<string, string>;
}

/** One event of the history with everything that is known of it. */
export interface HistoryEvent {
  t: number;
  id: string;
  time: string | null;
  pruned: boolean;
  /** By feature name. */
  values: Record<string, HistoryValue>;
  value: number | null;
  standardError: number | null;
}

export interface HistoryValue {
  /** As people read it: the caller's text, else the displayed value with its unit. */
  text: string;
  /** The value in people's units; null for words, and if it is not known. */
  number: number | null;
  /** The model's value as people read it, if the caller's text differs; otherwise empty. */
  modelText: string;
  /** How the account's earlier events compare; null if there are none. */
  own: Standing | null;
  /** The same among events of other stored alerts of this model. */
  cohort: Standing | null;
  /** The attribution of this cell, if it has one of its own. */
  effect: number | null;
  effectError: number | null;
}

/** Where a value stands among others. */
export interface Standing {
  /** Numbers: the share of smaller ones, ties half, 0 to 100. Words: the share that have this word, 0 to 100. */
  percent: number;
  /** Numbers: its rank from below, from 1. */
  rank: number | null;
  /** How many it was compared with. */
  n: number;
}

/** Whether something can be done or shown, and if not why, in a sentence. */
export interface Capability {
  ok: boolean;
  why: string;
}

export type CapabilityName =
  "history" | "percentiles" | "score" | "explain" | "replay" | "changes" | "similar" | "label";

export interface AlertDocument {
  id: string;
  /** Where it comes from: the service's store, a row of a cohort, or an explanation that was just made. */
  source:
    | { kind: "service" }
    | { kind: "cohort"; cohort: string; row: number; variant: string }
    | { kind: "dry_run" };
  /** The index of the target that `history`, `quality` and `threshold` are about. */
  target: number;
  explanation: ExplanationJson;
  threshold: Threshold;
  alert: boolean | null;
  history: HistoryEvent[];
  /** How many events of other alerts the percentiles compare with. */
  cohortEvents: number;
  features: FeatureDetail[];
  labels: AlertLabel[];
  /** What the page must say about the quality, in words. */
  quality: { level: "event" | "feature" | "cell"; text: string; standardError: number; exact: boolean }[];
  /** What is wrong or limited, each a sentence. */
  cautions: string[];
  capabilities: Record<CapabilityName, Capability>;
  /** Cells that differ from the alert that this one was made of. */
  edits: Edit[];
}

export interface FeatureDetail extends FeatureInfo {
  kind: "numeric" | "categorical" | "one_hot" | "group" | "unknown";
  categories: string[];
  /** The range among known events, in people's units; null for words. */
  range: { low: number; high: number } | null;
  editable: boolean;
  /** Whether the operator says that no client can change it (`--fixed-feature`). */
  fixed: boolean;
  /** Whether it has the same value at all events of this sequence. */
  constant: boolean;
}

/** A changed value of a cell; `to` is in people's units or the name of a category. */
export interface Edit {
  t: number;
  feature: string;
  to: number | string;
}

export interface Change {
  edits: (Edit & { from: string; fromNumber: number | null; toText: string; label: string })[];
  score: number;
  /** The sum of the shifts in percentile points; a category counts half of 100 − its share. */
  size: number;
}

export interface ChangesResult {
  threshold: number;
  score: number;
  /** Smallest first; every score was given by the model. */
  changes: Change[];
  /** How many sequences the model scored. */
  rows: number;
  /** How many single cells, and how many pairs of cells, were tried. */
  searched: { cells: number; pairs: number };
  /** Whether nothing was left to try. */
  exhausted: boolean;
  /** What was found, in a sentence. */
  message: string;
}

export interface ReplayResult {
  same: boolean;
  /** Which numbers differ, in words; empty if none do. */
  differences: string[];
  /** Of the numbers of both answers. */
  digest: string;
  replayDigest: string;
}

export interface SimilarAlert {
  alert: AlertSummary;
  /** Euclidean distance of the effects of features and of the older events, in units of the score. */
  distance: number;
  /** The features that both have among their strongest. */
  common: string[];
  /** Whether it was explained after the alert that it is compared with. */
  later: boolean;
}

export interface CohortCard {
  name: string;
  title: string;
  sequences: number;
  explained: number;
  variants: string[];
  target: string;
  model: string;
  /** When the explained events happened, as ISO times; null without times. */
  from: string | null;
  to: string | null;
  /** Why the cohort cannot be read; empty if it can. */
  problem: string;
}

export interface CohortDescription extends CohortCard {
  labels: Record<string, { value: string; count: number }[]>;
  features: FeatureInfo[];
  length: { min: number; median: number; max: number };
  statuses: { status: string; count: number }[];
  /** Whether rows have weights of the model's own. */
  eventWeights: boolean;
  prunedShare: number;
  /** Levels that any row has. */
  levels: ("event" | "feature" | "cell")[];
  /** Whether rows have displayed values, which grids, graphs and groups by a feature need. */
  values: boolean;
  /** Whether the run looked for first positive predictions. */
  firstPositive: boolean;
  /** What a grid is drawn of unless something else is chosen; without a threshold there is no decision to suggest. */
  suggested: { label: string; positive: string; variant: string; threshold: number | null };
}

/** What one figure of a cohort shows; the browser draws it from the tables. */
export interface FigureData {
  /** Sentences on how to read it. */
  explanation: string[];
  /** By name; which ones there are depends on the figure. */
  tables: Record<string, TableData>;
  /** Why there is nothing to show and what to do; empty if there is something. */
  missing: string;
}

/** A report as columns. */
export interface TableData {
  columns: { name: string; text: string }[];
  rows: (string | number | boolean | null)[][];
  /** Sentences about what the numbers are of. */
  notes: string[];
}

/** 2-D bins of a beeswarm: for each row (an index of events or a feature) counts over bins of the attribution. */
export interface DensityData {
  rows: { key: string; label: string; n: number; mean: number | null; share: number | null }[];
  edges: number[];
  counts: number[][];
  /** Whether the first bin also has all that is below it, and the last one all that is above it. */
  openLow: boolean;
  openHigh: boolean;
  /** Some of the points, the same at every call. */
  sample: { row: number; value: number; sequence: number }[];
}

export interface CohortRow {
  row: number;
  id: string;
  variant: string;
  status: "explained" | "below_minimum" | "failed";
  score: number | null;
  length: number | null;
  /** When its latest event happened, as ISO time; null without times. */
  time: string | null;
  labels: Record<string, string>;
  /** The alert of the service, if the index has it. */
  alert: string | null;
}

export interface CohortRowPage {
  rows: CohortRow[];
  /** How many sequences there are; the same number as the mark has. */
  total: number;
  /** Behind a cell of a grid: how many events of these sequences; null otherwise. */
  events: number | null;
  next: string | null;
}

/** The header of the binary table of events, see `readEventTable`. */
export interface EventTableHeader {
  version: 1;
  /** Per sequence the column `variant` has an index into this. */
  variants: string[];
  events: number;
  sequences: number;
  steps: number;
  stepDtype: "uint8" | "uint16";
  attributes: GridAttribute[];
  class: { name: string; positive: string; negative: string; positives: number; negatives: number };
  weight: { kind: "attribution" | "model"; text: string; maximum: 65535 };
  leftOut: {
    prunedEvents: number;
    sequencesWithoutClass: number;
    olderEvents: number;
    unmatched: number;
    eventsWithoutWeight: number;
  };
}

export interface GridAttribute {
  name: string;
  label: string;
  unit: string;
  kind: "categorical" | "ordinal" | "numeric";
  levels: string[];
  /** Of a numeric attribute: the ends of its bins, one more than levels. */
  edges?: number[];
  /** How its bins differ from what was asked for; absent if they do not. */
  note?: string;
}

/** What a table of events was made with; parameters of /event-table. */
export interface EventTableSpec {
  variants: string[];
  weight: "attribution" | "model";
  /** A label and the value that means the positive class, or the decision at a threshold. */
  class: { kind: "label"; key: string; positive: string } | { kind: "decision"; threshold: number };
  bins: { kind: "quantile" | "width"; count: number };
  steps: number;
}

export type ClassChoice = "positive" | "negative" | "both";

/** Which sequences of a cohort: the body of POST /api/cohorts/{c}/members. Ends of ranges: low ≤ value < high, null is open. */
export type Members = { variant?: string; cursor?: string; limit?: number } & MembersOf;

export type MembersOf =
  | { kind: "all" }
  /** Explained sequences in which the event at t has an attribution of its own in this range. */
  | { kind: "event_bin"; t: number; low: number | null; high: number | null }
  | { kind: "feature_bin"; feature: string; low: number | null; high: number | null }
  | { kind: "score_bin"; low: number | null; high: number | null }
  /** t is null for sequences without a positive prediction. */
  | { kind: "first_positive"; t: number | null }
  /** A group of /figures/fairness by its name; null for sequences without a value. */
  | { kind: "group"; by: string; value: string | null }
  /** `other`: the label is known and has another value. */
  | { kind: "label"; key: string; value: string | null; other?: boolean }
  /** As in /figures/drift: a year, month, day, or two times with a slash between. */
  | { kind: "period"; period: string }
  | { kind: "status"; status: string }
  /** Failed sequences by the reason. */
  | { kind: "failure"; reason: string }
  | { kind: "warning"; code: string }
  | { kind: "verdict"; verdict: string | null }
  | { kind: "rows"; rows: number[] }
  /** Sequences to which all of these apply. */
  | { kind: "every"; of: MembersOf[] }
  | {
      kind: "grid_cell";
      spec: EventTableSpec;
      /** Indexes of attributes and of their levels; twice the same on the diagonal. */
      pair: [number, number];
      levels: [number, number];
      class: ClassChoice;
      weights: [number, number];
      steps: [number, number];
    }
  | {
      kind: "edge";
      spec: EventTableSpec;
      attributes: number[];
      from: { step: number; levels: number[] };
      to: { step: number; levels: number[] };
      class: ClassChoice;
      weights: [number, number];
      steps: [number, number];
    };

/** Of GET /api/models and /api/backgrounds. */
export interface NamedChoice {
  /** As the service names it, such as `models/m/versions/1`. */
  name: string;
  label: string;
}

/** Body of POST /api/alerts/{id}/score. */
export interface ScoreBody {
  edits: Edit[];
  target?: number;
}

export interface ScoreResult {
  /** Before the link. */
  score: number;
  alert: boolean | null;
}

/** Body of POST /api/alerts/{id}/explain, whose answer is an AlertDocument of source `dry_run`. */
export interface ExplainBody {
  edits?: Edit[];
  model?: string;
  background?: string;
  target?: number;
  options?: { refine_history?: boolean; full_pruning_curve?: boolean; pruning_tolerance?: number };
}

/** Of POST /api/alerts/{id}/embed-link. */
export interface EmbedLink {
  url: string;
  expires: string;
}

/** Of POST /api/links {path, state}. */
export interface ShortLink {
  id: string;
}
