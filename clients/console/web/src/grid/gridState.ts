/** What the grid page has chosen, as the address keeps it: by names, so that a link outlives a new table. */

import type { CohortDescription, EventTableSpec } from "../api/types";
import type { EventTable } from "./eventTable";
import type { ColourChoice, GridSelection, PairView, Selector } from "./selection";
import { weightOf } from "./selection";

/** What of a cohort can be chosen. */
export type CohortChoices = Pick<CohortDescription, "variants" | "labels" | "eventWeights" | "suggested">;

/** The pair whose graph is open, by names of attributes. */
export interface Pair {
  primary: string;
  secondary: string;
}

export interface GridState {
  variant: string;
  weight: EventTableSpec["weight"];
  class: EventTableSpec["class"];
  bins: EventTableSpec["bins"];
  /** How many of the latest steps the table has at most. */
  length: number;
  /** Shares from 0 to 1. */
  range: [number, number];
  /** Times before the latest event, such as −11 to 0; null for all that there are. */
  times: [number, number] | null;
  /** Names in their order; null for all. */
  attributes: string[] | null;
  selector: Selector;
  colours: ColourChoice;
  pair: Pair | null;
  view: PairView;
}

export const LENGTHS = [12, 24, 64, 256] as const;
export const DEFAULT_LENGTH = 64;
export const BIN_COUNTS = { least: 2, most: 40, usual: 9 } as const;

export function defaultState(cohort: CohortChoices): GridState {
  const { suggested } = cohort;
  return {
    variant: suggested.variant,
    weight: "attribution",
    class: defaultClass(cohort),
    bins: { kind: "quantile", count: BIN_COUNTS.usual },
    length: DEFAULT_LENGTH,
    range: [0, 1],
    times: null,
    attributes: null,
    selector: "difference",
    colours: "console",
    pair: null,
    view: { encoding: "", annotations: [] },
  };
}

/** A label with two values, else the model's decision if it has a threshold, else any label. */
function defaultClass({ labels, suggested }: CohortChoices): GridState["class"] {
  const { label, positive, threshold } = suggested;
  if (label) return { kind: "label", key: label, positive };
  const [key, values] = Object.entries(labels).find(([, found]) => found.length > 0) ?? [];
  if (threshold === null && key !== undefined && values?.[0])
    return { kind: "label", key, positive: values[0].value };
  return decisionClass(suggested.threshold);
}

/** The model's decision. Scores of an unknown scale are split by their sign until a threshold is entered. */
export function decisionClass(threshold: number | null): GridState["class"] {
  return { kind: "decision", threshold: threshold ?? 0 };
}

/** What the server is asked for. */
export function specOf(state: GridState): EventTableSpec {
  const { variant, weight, bins, length } = state;
  return { variants: variant ? [variant] : [], weight, class: state.class, bins, steps: length };
}

/** The indexes of attributes by name, without those that the table does not have; null for all. */
export function attributesOf(names: readonly string[] | null, { header }: EventTable): number[] {
  const places = new Map(header.attributes.map(({ name }, k) => [name, k]));
  return (names ?? [...places.keys()]).flatMap((name) => places.get(name) ?? []);
}

/** The choice in terms of a table. Names that the table does not have are left out. */
export function selectionOf(state: GridState, table: EventTable): GridSelection {
  const { steps } = table.header;
  const step = (time: number): number => Math.min(steps - 1, Math.max(0, time + steps - 1));
  return {
    range: [weightOf(state.range[0]), weightOf(state.range[1])],
    steps: state.times ? [step(state.times[0]), step(state.times[1])] : [0, steps - 1],
    attributes: attributesOf(state.attributes, table),
    selector: state.selector,
    colours: state.colours,
  };
}

/** Only what differs from the usual goes into the address. */
export function writeState(state: GridState, usual: GridState): Record<string, unknown> {
  const { view, variant, ...rest } = state;
  const changed = Object.entries(rest).filter(
    ([name, value]) => JSON.stringify(value) !== JSON.stringify(usual[name as keyof GridState]),
  );
  return {
    ...(variant === usual.variant ? {} : { variants: [variant] }),
    ...Object.fromEntries(changed),
    ...(view.encoding ? { encoding: view.encoding } : {}),
    ...(view.annotations.length ? { annotations: view.annotations } : {}),
  };
}

/** Reads what an address says; each part that cannot be read, or does not exist, is the usual one. */
export function readState(found: Record<string, unknown> | null, cohort: CohortChoices): GridState {
  const usual = defaultState(cohort);
  if (!found) return usual;
  const variant = Array.isArray(found["variants"]) ? (found["variants"] as unknown[])[0] : undefined;
  return {
    variant: oneOf(variant, cohort.variants) ?? usual.variant,
    weight: found["weight"] === "model" && cohort.eventWeights ? "model" : usual.weight,
    class: readClass(found["class"], cohort) ?? usual.class,
    bins: readBins(found["bins"]) ?? usual.bins,
    length: whole(found["length"], 1, 65535) ?? usual.length,
    range: ends(found["range"], 0, 1) ?? usual.range,
    times: wholes(ends(found["times"], -65535, 0)),
    attributes: names(found["attributes"]),
    selector: oneOf(found["selector"], ["positive", "negative", "both", "difference"]) ?? usual.selector,
    colours: oneOf(found["colours"], ["console", "paper"]) ?? usual.colours,
    pair: readPair(found["pair"]),
    view: {
      encoding: typeof found["encoding"] === "string" ? found["encoding"] : "",
      annotations: Array.isArray(found["annotations"]) ? (found["annotations"] as unknown[]) : [],
    },
  };
}

function readClass(found: unknown, cohort: CohortChoices): GridState["class"] | null {
  if (!isRecord(found)) return null;
  const { kind, key, positive, threshold } = found;
  if (kind === "decision" && typeof threshold === "number" && Number.isFinite(threshold))
    return { kind, threshold };
  if (kind !== "label" || typeof key !== "string" || typeof positive !== "string") return null;
  return cohort.labels[key]?.some(({ value }) => value === positive) ? { kind, key, positive } : null;
}

function readBins(found: unknown): GridState["bins"] | null {
  if (!isRecord(found)) return null;
  const kind = oneOf(found["kind"], ["quantile", "width"]);
  const count = whole(found["count"], BIN_COUNTS.least, BIN_COUNTS.most);
  return kind && count !== null ? { kind, count } : null;
}

function readPair(found: unknown): Pair | null {
  if (!isRecord(found)) return null;
  const { primary, secondary } = found;
  return typeof primary === "string" && typeof secondary === "string" ? { primary, secondary } : null;
}

const isRecord = (found: unknown): found is Record<string, unknown> =>
  typeof found === "object" && found !== null && !Array.isArray(found);

function oneOf<T extends string>(found: unknown, options: readonly T[]): T | null {
  return options.find((option) => option === found) ?? null;
}

function whole(found: unknown, least: number, most: number): number | null {
  return typeof found === "number" && Number.isInteger(found) && found >= least && found <= most
    ? found
    : null;
}

function ends(found: unknown, least: number, most: number): [number, number] | null {
  if (!Array.isArray(found) || found.length !== 2) return null;
  const [low, high] = found as unknown[];
  if (typeof low !== "number" || typeof high !== "number") return null;
  return low >= least && low <= high && high <= most ? [low, high] : null;
}

function wholes(found: [number, number] | null): [number, number] | null {
  return found?.every(Number.isInteger) ? found : null;
}

function names(found: unknown): string[] | null {
  if (!Array.isArray(found) || !found.every((each) => typeof each === "string")) return null;
  return [...new Set(found)];
}
