/**
 * The list as its address has it: the filters and the order as plain parameters, so that other tools can link to it
 * (`/alerts?q=ACCOUNT`). The page of an alert keeps the list that it was opened from in `queue`.
 */

import type { AlertSummary } from "../api/types";

/** Parameters of the API that the address of the list has too. */
const SHARED = [
  "q",
  "from",
  "to",
  "min_score",
  "max_score",
  "model",
  "label",
  "verdict",
  "feature",
  "target",
  "sort",
  "order",
] as const;
/** Those that filter: without them everything is listed. */
const FILTERS = [
  "q",
  "from",
  "to",
  "since",
  "min_score",
  "max_score",
  "model",
  "label",
  "verdict",
  "feature",
  "target",
];

export type Parameter = (typeof SHARED)[number] | "since" | "cursor" | "at";
export type SortName = "created" | "happened" | "score" | "caller";

/** Times that go with the clock: what they are called in the address, in words, and in hours. */
export const PERIODS = [
  { value: "24h", text: "Last 24 hours", hours: 24 },
  { value: "7d", text: "Last 7 days", hours: 7 * 24 },
  { value: "30d", text: "Last 30 days", hours: 30 * 24 },
] as const;

/** What the API is asked; `since` becomes a time, to the minute. */
export function apiQuery(query: URLSearchParams, now = new Date()): URLSearchParams {
  const asked = new URLSearchParams();
  for (const name of SHARED) {
    const value = query.get(name);
    if (value) asked.set(name, value);
  }
  const period = PERIODS.find((each) => each.value === query.get("since"));
  if (period) {
    const start = Math.floor(now.getTime() / 60_000) * 60_000 - period.hours * 3_600_000;
    asked.set("from", new Date(start).toISOString());
  }
  return asked;
}

/** The list without its page and its selected alert, for `queue`. */
export function queueOf(query: URLSearchParams): string {
  const kept = new URLSearchParams(query);
  kept.delete("cursor");
  kept.delete("at");
  return kept.toString();
}

/** The page of an alert that was opened from a list. */
export function alertAddress(id: string, queue: string): string {
  const path = `/alerts/${encodeURIComponent(id)}`;
  return queue ? `${path}?${new URLSearchParams({ queue })}` : path;
}

/** The list that an alert was opened from, with the alert selected if it is on its first page. */
export function listAddress(queue: string, at = ""): string {
  const query = new URLSearchParams(queue);
  if (at) query.set("at", at);
  const text = query.toString();
  return text ? `/alerts?${text}` : "/alerts";
}

/** The address with one parameter changed; other filters or another order begin at the first page. */
export function changed(query: URLSearchParams, change: Partial<Record<Parameter, string>>): URLSearchParams {
  const next = new URLSearchParams(query);
  if (Object.keys(change).some((name) => name !== "at")) {
    next.delete("cursor");
    next.delete("at");
  }
  for (const [name, value] of Object.entries(change)) {
    if (value) next.set(name, value);
    else next.delete(name);
  }
  return next;
}

export function hasFilters(query: URLSearchParams): boolean {
  return FILTERS.some((name) => query.get(name));
}

export function withoutFilters(query: URLSearchParams): URLSearchParams {
  const next = new URLSearchParams(query);
  for (const name of [...FILTERS, "cursor", "at"]) next.delete(name);
  return next;
}

export function sortOf(query: URLSearchParams): { name: SortName; descending: boolean } {
  const found = query.get("sort");
  const name = found === "happened" || found === "score" || found === "caller" ? found : "created";
  return { name, descending: query.get("order") !== "asc" };
}

/** What a click on the heading of a column changes: the column, or its direction. */
export function sortedBy(query: URLSearchParams, name: SortName): URLSearchParams {
  const now = sortOf(query);
  // Times and scores begin with the latest and highest, names with A.
  const descending = now.name === name ? !now.descending : name !== "caller";
  return changed(query, { sort: name === "created" ? "" : name, order: descending ? "" : "asc" });
}

/** The labels of an alert that say something about it, shown below its id. */
export function shownLabels(alert: AlertSummary): [string, string][] {
  return Object.entries(alert.labels).filter(([key]) => key !== "threshold");
}
