/** What the page of an alert asks the console. */

import { call } from "../api/client";
import type {
  AlertDocument,
  AlertLabel,
  AlertPage,
  ChangesResult,
  Edit,
  EmbedLink,
  ExplainBody,
  NamedChoice,
  Neighbours,
  NewLabel,
  ReplayResult,
  ScoreResult,
  ShortLink,
  SimilarAlert,
  TrailEntry,
} from "../api/types";

const path = (id: string, rest = ""): string => `/api/alerts/${encodeURIComponent(id)}${rest}`;
const withTarget = (target: number): string => (target ? `?target=${target}` : "");

/** `reference` names the cohort that values are compared with; empty for recent alerts. */
export function getAlert(
  id: string,
  target: number,
  signal?: AbortSignal,
  reference = "",
): Promise<AlertDocument> {
  const query = new URLSearchParams({
    ...(target ? { target: `${target}` } : {}),
    ...(reference && { reference }),
  });
  return call("GET", path(id) + (query.size ? `?${query}` : ""), undefined, signal);
}

export const getRow = (
  cohort: string,
  row: number,
  variant: string,
  signal?: AbortSignal,
): Promise<AlertDocument> =>
  call(
    "GET",
    `/api/cohorts/${encodeURIComponent(cohort)}/rows/${row}?variant=${encodeURIComponent(variant)}`,
    undefined,
    signal,
  );

/** The alerts that an id, or the value of a label, is found in. */
export const findAlerts = (q: string): Promise<AlertPage> =>
  call("GET", `/api/alerts?${new URLSearchParams({ q })}`);

export const getNeighbours = (id: string, filters: string, signal?: AbortSignal): Promise<Neighbours> =>
  call("GET", path(id, `/neighbours${filters ? `?${filters}` : ""}`), undefined, signal);

export const getLabels = (id: string, signal?: AbortSignal): Promise<AlertLabel[]> =>
  call("GET", path(id, "/labels"), undefined, signal);

export const addLabel = (id: string, label: NewLabel): Promise<AlertLabel> =>
  call("POST", path(id, "/labels"), label);

export const getTrail = (id: string, signal?: AbortSignal): Promise<TrailEntry[]> =>
  call("GET", path(id, "/trail"), undefined, signal);

/** Tells the trail that somebody looks at the alert. */
export const tellOpened = (id: string): Promise<void> => call("POST", path(id, "/opened"), {});

/** Tells the trail that somebody made a link or a file of the alert. */
export const tellShared = (id: string, as: "link" | "html" | "png"): Promise<void> =>
  call("POST", path(id, "/shared"), { as });

export const replay = (id: string): Promise<ReplayResult> => call("POST", path(id, "/replay"), {});

export const findChanges = (id: string, target: number): Promise<ChangesResult> =>
  call("POST", path(id, "/changes"), { target });

export const scoreEdits = (id: string, edits: readonly Edit[], target: number): Promise<ScoreResult> =>
  call("POST", path(id, "/score"), { edits, target });

export const explain = (id: string, body: ExplainBody, signal?: AbortSignal): Promise<AlertDocument> =>
  call("POST", path(id, "/explain"), body, signal);

export const getSimilar = (id: string, target: number, signal?: AbortSignal): Promise<SimilarAlert[]> =>
  call("GET", path(id, "/similar") + withTarget(target), undefined, signal);

export const getModels = (signal?: AbortSignal): Promise<NamedChoice[]> =>
  call("GET", "/api/models", undefined, signal);

export const getBackgrounds = (signal?: AbortSignal): Promise<NamedChoice[]> =>
  call("GET", "/api/backgrounds", undefined, signal);

export const makeEmbedLink = (id: string): Promise<EmbedLink> => call("POST", path(id, "/embed-link"), {});

export const makeShortLink = (body: { path: string; state: string }): Promise<ShortLink> =>
  call("POST", "/api/links", body);

export function exportAddress(id: string, format: "json" | "csv", redacted: boolean): string {
  return path(id, `/export.${format}${redacted ? "?redact=true" : ""}`);
}
