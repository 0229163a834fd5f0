/** Loads a table of events and has it counted. */

import type { EventTableSpec } from "../api/types";
import { countTable } from "./counterClient";
import type { Counter } from "./counting";
import { fetchEventTable, type EventTable } from "./eventTable";
import type { TableSource } from "./selection";

export interface LoadedGrid {
  table: EventTable;
  counter: Counter;
  source: TableSource;
  /** Of some attributes by name, or of all, those that have too many levels to be counted with the others. */
  tooMany: (names: readonly string[] | null) => string[];
}

/** `spec` is the JSON of an EventTableSpec; attributes in `wanted` are counted before others. */
export async function loadGrid(
  cohort: string,
  spec: string,
  wanted: readonly string[],
  signal: AbortSignal,
): Promise<LoadedGrid> {
  const asked = JSON.parse(spec) as EventTableSpec;
  const table = await fetchEventTable(cohort, asked, signal);
  const names = table.header.attributes.map(({ name }) => name);
  const first = wanted.map((name) => names.indexOf(name)).filter((place) => place >= 0);
  const counter = await countTable(table, first, signal);
  const counted = new Set(counter.data.layout.attributes.map((place) => names[place]));
  return {
    table,
    counter,
    source: { cohort, spec: asked },
    tooMany: (chosen) => (chosen ?? names).filter((name) => !counted.has(name)),
  };
}
