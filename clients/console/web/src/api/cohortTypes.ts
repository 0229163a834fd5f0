/** The JSON of the routes of cohorts. */

import type { FeatureInfo } from "./explanationTypes";

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
  /** Sequences by their length at a tolerance of Table 1, from `low` to below `high`; null is the original, or an open end. */
  | { kind: "pruned_length"; tolerance: number | null; low: number | null; high: number | null }
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
