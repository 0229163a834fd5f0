/** An explanation in JSON, with the names of the contract, as `Explanation.to_json` of the client writes it. */

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
