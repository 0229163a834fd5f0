/** The binary table of events behind grids and graphs: a JSON header, then columns, all little endian. */

import { bytes } from "../api/client";
import type { EventTableHeader, EventTableSpec } from "../api/types";

export interface EventTable {
  header: EventTableHeader;
  /** Per event the number of its sequence; events are sorted by it, then by step. */
  sequence: Uint32Array;
  /** Per event 0 to `header.weight.maximum`. */
  weight: Uint16Array;
  /** Per event 0 (oldest shown) to `header.steps` − 1 (the latest event, t = 0). */
  step: Uint8Array | Uint16Array;
  /** Per attribute the level of each event; 255 where it has no value. */
  levels: Uint8Array[];
  /** Per sequence 1 if it is of the positive class. */
  class: Uint8Array;
  /** Per sequence its row in the cohort. */
  row: Uint32Array;
  /** Per sequence an index into `header.variants`. */
  variant: Uint8Array;
}

export const NO_LEVEL = 255;

export function readEventTable(content: ArrayBuffer): EventTable {
  const length = new DataView(content).getUint32(0, true);
  const text = new TextDecoder().decode(new Uint8Array(content, 4, length));
  const header = JSON.parse(text) as EventTableHeader;
  const { events, sequences, attributes, stepDtype } = header;
  let at = 4 + length;
  const next = (size: number): number => {
    const start = at;
    at += Math.ceil(size / 4) * 4;
    return start;
  };
  const sequence = new Uint32Array(content, next(4 * events), events);
  const weight = new Uint16Array(content, next(2 * events), events);
  const step =
    stepDtype === "uint8"
      ? new Uint8Array(content, next(events), events)
      : new Uint16Array(content, next(2 * events), events);
  const first = next(attributes.length * events);
  const levels = attributes.map((_, place) => new Uint8Array(content, first + place * events, events));
  return {
    header,
    sequence,
    weight,
    step,
    levels,
    class: new Uint8Array(content, next(sequences), sequences),
    row: new Uint32Array(content, next(4 * sequences), sequences),
    variant: new Uint8Array(content, next(sequences), sequences),
  };
}

/** Asks for the table of a cohort. */
export async function fetchEventTable(
  cohort: string,
  spec: EventTableSpec,
  signal?: AbortSignal,
): Promise<EventTable> {
  const query = new URLSearchParams({ spec: JSON.stringify(spec) });
  return readEventTable(
    await bytes(`/api/cohorts/${encodeURIComponent(cohort)}/event-table?${query}`, signal),
  );
}
