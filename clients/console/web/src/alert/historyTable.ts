/** The history as a table: which events are rows, which features are columns, and in which order. */

import type { AlertDocument, HistoryEvent, HistoryValue } from "../api/types";
import { effectsOf, interval, isOlder, type Effect, type Interval } from "./effects";
import { shownReasons } from "./reasons";

export interface HistoryColumns {
  /** Strongest first. */
  shown: string[];
  /** Features with the same value at all events, and that value. */
  constant: { feature: string; text: string }[];
  /** All features with the same value at all events, of which a standing among them says nothing. */
  unchanging: ReadonlySet<string>;
}

export function historyColumns(document: AlertDocument): HistoryColumns {
  const strength = new Map<string, number>();
  for (const each of effectsOf(document.explanation.feature_level, document.target))
    if (each.kind === "feature" && each.feature !== null) strength.set(each.feature, Math.abs(each.value));
  const used = new Set([...reasonFeatures(document), ...cellFeatures(document)]);
  const constant = document.features.filter((each) => each.constant && !used.has(each.name));
  const folded = new Set(constant.map((each) => each.name));
  const shown = document.features.filter((each) => !folded.has(each.name)).map((each) => each.name);
  return {
    unchanging: new Set(document.features.filter((each) => each.constant).map((each) => each.name)),
    shown: shown.sort((a, b) => (strength.get(b) ?? 0) - (strength.get(a) ?? 0)),
    constant: constant.map((each) => ({ feature: each.name, text: constantText(document, each.name) })),
  };
}

/** An effect that is shown nowhere else must not be folded away. */
function cellFeatures(document: AlertDocument): string[] {
  return document.history.flatMap((event) =>
    Object.entries(event.values).flatMap(([name, value]) => (value.effect === null ? [] : name)),
  );
}

/** A reason points at a cell, so its feature has a column even if it never changes. */
function reasonFeatures(document: AlertDocument): string[] {
  const target = document.explanation.targets[document.target]?.name ?? "";
  return shownReasons(document.explanation.reasons, target).flatMap(({ reason }) => reason.feature ?? []);
}

function constantText(document: AlertDocument, feature: string): string {
  for (const event of document.history) {
    const text = event.values[feature]?.text;
    if (text) return text;
  }
  return document.explanation.static_values[feature] ?? "";
}

export interface HistoryRows {
  /** Newest first. */
  events: HistoryEvent[];
  /** The events without an effect of their own, newest first. */
  older: HistoryEvent[];
  /** Their effect together, and that of each part if they were split. */
  together: Effect | null;
  blocks: Effect[];
}

export function historyRows(document: AlertDocument): HistoryRows {
  const newestFirst = [...document.history].sort((a, b) => b.t - a.t);
  const older = effectsOf(document.explanation.event_level, document.target).filter(isOlder);
  return {
    events: newestFirst.filter((each) => !each.pruned),
    older: newestFirst.filter((each) => each.pruned),
    together: older.find((each) => each.kind === "pruned") ?? prunedTogether(document),
    blocks: older.filter((each) => each.kind === "history").sort((a, b) => (b.lastT ?? 0) - (a.lastT ?? 0)),
  };
}

/** Where the event level splits the older events or is not there, `pruning` and the other levels know the whole. */
function prunedTogether(document: AlertDocument): Effect | null {
  const { pruning, feature_level, cell_level, length } = document.explanation;
  const found = [feature_level, cell_level]
    .flatMap((level) => effectsOf(level, document.target))
    .find((each) => each.kind === "pruned");
  const value = pruning?.values[document.target];
  if (!pruning?.pruned_events || value === undefined) return found ?? null;
  return {
    key: "pruned",
    kind: "pruned",
    t: null,
    firstT: found?.firstT ?? 1 - length,
    lastT: found?.lastT ?? pruning.pruned_events - length,
    feature: null,
    ...interval(value, pruning.standard_errors[document.target] ?? 0),
    selectionUncertain: false,
  };
}

export function eventEffect(event: HistoryEvent): Interval | null {
  return event.value === null ? null : interval(event.value, event.standardError ?? 0);
}

export function cellEffect(value: HistoryValue): Interval | null {
  return value.effect === null ? null : interval(value.effect, value.effectError ?? 0);
}

export function cellEffects(history: readonly HistoryEvent[]): Interval[] {
  return history.flatMap((event) => Object.values(event.values).flatMap((value) => cellEffect(value) ?? []));
}
