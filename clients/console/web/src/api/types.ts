/** The JSON of the console's API. `sequela_console` makes these values; docs/console.md lists the routes. */

import type { ExplanationJson, FeatureInfo, PlayerKind } from "./explanationTypes";

export type * from "./cohortTypes";
export type * from "./explanationTypes";

/** Codes of roles of the service. */
export type Role = "read" | "explain" | "admin";

export interface Session {
  /** Whether the name is only what the person typed, because the service does not authenticate its callers. */
  nameVerified: boolean;
  /** Whether somebody is logged in, or the service does not authenticate its callers. */
  ready: boolean;
  /** Whether the service asks for a token. */
  loginNeeded: boolean;
  /** Who is logged in; empty where it does not authenticate its callers. */
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
  decision: { id: number; verdict: Decision; who: string; verified: boolean; when: string } | null;
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
  facets: {
    models: string[];
    targets: { name: string; label: string }[];
    labels: Record<string, string[]>;
    features: { name: string; label: string }[];
  };
}

export interface Neighbours {
  previous: string | null;
  next: string | null;
  /** From 1. */
  position: number | null;
  total: number;
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
  /** Where it comes from: the service's store, a row of a cohort, an explanation that was just made, or a report. */
  source:
    | { kind: "service" }
    | { kind: "cohort"; cohort: string; row: number; variant: string }
    | { kind: "dry_run" }
    | { kind: "file" };
  /** The index of the target that `history`, `quality` and `threshold` are about. */
  target: number;
  explanation: ExplanationJson;
  threshold: Threshold;
  alert: boolean | null;
  history: HistoryEvent[];
  /** How many events of other alerts, or of a cohort, the percentiles compare with. */
  cohortEvents: number;
  /** The cohort that values are compared with; empty for recent alerts. */
  reference: string;
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
