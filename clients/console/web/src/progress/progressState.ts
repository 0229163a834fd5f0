/** What the page of the learning progress has chosen. Class, bins and pair are kept in the address as on the grid's page. */

import type { CohortDescription, EventTableSpec } from "../api/types";
import { readState, writeState, defaultState, type GridState } from "../grid/gridState";
import type { EdgeStyle, Measure } from "../graph/figure";

/** Names of the rows from top to bottom. */
export type WeightRow = "high" | "low";
export const WEIGHT_ROWS: readonly WeightRow[] = ["high", "low"];

export type Range = [number, number];

export interface ProgressState {
  grid: GridState;
  variants: string[];
  /** Shares from 0 to 1. */
  ranges: Record<WeightRow, Range>;
  style: EdgeStyle;
  measure: Measure;
}

/** The paper's ranges of weights. */
export const PAPER_RANGES: Record<WeightRow, Range> = { high: [0.6, 1], low: [0, 0.2] };
/** More graphs beside each other are too narrow to be read. */
export const MOST_VARIANTS = 6;
const STYLES: readonly EdgeStyle[] = ["difference", "overlay", "positive", "negative"];

/** Checkpoints in the order of their numbers. */
export const ordered = (variants: readonly string[]): string[] =>
  [...variants].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));

export function defaultProgress(cohort: CohortDescription): ProgressState {
  const grid = defaultState(cohort);
  return {
    grid: cohort.eventWeights ? { ...grid, weight: "model" } : grid,
    variants: spread(ordered(cohort.variants), 3),
    ranges: { high: [...PAPER_RANGES.high], low: [...PAPER_RANGES.low] },
    style: "difference",
    measure: "share",
  };
}

/** The first, the last and those in between at equal distances. */
function spread(variants: string[], most: number): string[] {
  if (variants.length <= most) return variants;
  const places = Array.from({ length: most }, (_, i) => Math.round((i * (variants.length - 1)) / (most - 1)));
  return places.map((place) => variants[place] ?? "");
}

/** All checkpoints together, so that levels, bins and sequences are the same for each. */
export function specOf({ grid, variants }: ProgressState): EventTableSpec {
  return { variants, weight: grid.weight, class: grid.class, bins: grid.bins, steps: grid.length };
}

export function writeProgress(state: ProgressState, usual: ProgressState): Record<string, unknown> {
  const { variants: _, encoding: __, ...grid } = writeState(state.grid, usual.grid);
  const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
  return {
    ...grid,
    ...(same(state.variants, usual.variants) ? {} : { variants: state.variants }),
    ...(same(state.ranges, usual.ranges) ? {} : { ranges: state.ranges }),
    ...(state.style === usual.style ? {} : { style: state.style }),
    ...(state.measure === usual.measure ? {} : { measure: state.measure }),
  };
}

/** Reads what an address says; each part that cannot be read, or does not exist, is the usual one. */
export function readProgress(
  found: Record<string, unknown> | null,
  cohort: CohortDescription,
): ProgressState {
  const usual = defaultProgress(cohort);
  if (!found) return usual;
  const grid = { ...readState(found, cohort), variant: usual.grid.variant };
  return {
    grid: "weight" in found ? grid : { ...grid, weight: usual.grid.weight },
    variants: readVariants(found["variants"], cohort) ?? usual.variants,
    ranges: readRanges(found["ranges"]) ?? usual.ranges,
    style: STYLES.find((each) => each === found["style"]) ?? usual.style,
    measure: found["measure"] === "count" ? "count" : "share",
  };
}

function readVariants(found: unknown, cohort: CohortDescription): string[] | null {
  if (!Array.isArray(found)) return null;
  const known = cohort.variants.filter((each) => found.includes(each)).slice(0, MOST_VARIANTS);
  return known.length ? ordered(known) : null;
}

function readRanges(found: unknown): ProgressState["ranges"] | null {
  if (typeof found !== "object" || found === null) return null;
  const { high, low } = found as Record<string, unknown>;
  return isRange(high) && isRange(low) ? { high, low } : null;
}

function isRange(found: unknown): found is Range {
  if (!Array.isArray(found) || found.length !== 2) return false;
  const [from, to] = found as unknown[];
  return typeof from === "number" && typeof to === "number" && from >= 0 && from <= to && to <= 1;
}

/** "checkpoint=200" is read as "checkpoint 200". */
export const variantWords = (variant: string): string => variant.replace("=", " ");
