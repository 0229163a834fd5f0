/** Single facts as a map of features by events with numbers in it, and the groups around it: TimeSHAP's 5g and 5h. */

import { isOlder, type Effect } from "../effects";

/** One square; its place counts columns from the left and rows from the top. */
export interface MapCell {
  key: string;
  effect: Effect;
  row: number;
  column: number;
  /** 1, or more where a group takes up a whole side of the map. */
  rows: number;
  columns: number;
}

export interface CellMap {
  /** Features, strongest first; the last row is for the other facts of each event, if there are any. */
  rows: { feature: string | null }[];
  /** Events in order of time; a column with no event is for the same feature at other events. */
  columns: { t: number | null }[];
  cells: MapCell[];
  /** Everything that belongs to no square: older events, facts without an event, and all others. Always shown. */
  groups: Effect[];
  /** The end of the scale of colours: a little beyond the largest |value|, since the very ends hide differences. */
  extreme: number;
}

const BEYOND = 1.2;

export function cellMap(effects: readonly Effect[]): CellMap {
  const inside = effects.filter((each) => ["cell", "event_rest", "feature_rest"].includes(each.kind));
  const groups = effects.filter((each) => !inside.includes(each)).sort(olderFirst);
  const features = byTotal(inside);
  const events = [...new Set(inside.flatMap((each) => each.t ?? []))].sort((a, b) => a - b);
  const hasEventRest = inside.some((each) => each.kind === "event_rest");
  const hasFeatureRest = inside.some((each) => each.kind === "feature_rest");
  const rows = [...features, ...(hasEventRest ? [null] : [])];
  const columns = [...(hasFeatureRest ? [null] : []), ...events];
  return {
    rows: rows.map((feature) => ({ feature })),
    columns: columns.map((t) => ({ t })),
    cells: inside.map((effect) => ({
      key: effect.key,
      effect,
      row: rows.indexOf(effect.feature),
      column: columns.indexOf(effect.t),
      rows: 1,
      columns: 1,
    })),
    groups,
    extreme: BEYOND * Math.max(0, ...effects.map((each) => Math.abs(each.value))),
  };
}

function byTotal(effects: readonly Effect[]): string[] {
  const totals = new Map<string, number>();
  for (const { feature, value } of effects)
    if (feature !== null) totals.set(feature, (totals.get(feature) ?? 0) + Math.abs(value));
  return [...totals.keys()].sort((a, b) => (totals.get(b) ?? 0) - (totals.get(a) ?? 0));
}

function olderFirst(a: Effect, b: Effect): number {
  const place = (each: Effect): number => (isOlder(each) ? (each.firstT ?? 0) - 1e6 : 0);
  return place(a) - place(b);
}
