/** The binary table of events that grid and graphs are counted from: `GET /api/cohorts/{c}/event-table`. */

import { bytes } from "../api/client";
import type { EventTableHeader, EventTableSpec } from "../api/types";

/** The level of an event without a value. */
export const NO_LEVEL = 255;

export interface EventTable {
  header: EventTableHeader;
  /** Of each event: the index of its sequence, ascending. */
  sequence: Uint32Array;
  /** 0 to 65535. */
  weight: Uint16Array;
  /** 0 is the oldest shown. */
  step: Uint8Array | Uint16Array;
  /** Attribute by attribute, the level of each event. */
  levels: Uint8Array;
  /** Of each sequence: 1 for the positive class. */
  positive: Uint8Array;
  /** Of each sequence: an index into `header.variants`. */
  variant: Uint8Array;
  /** Of each sequence: its row of the cohort. */
  row: Uint32Array;
}

export async function fetchEventTable(
  cohort: string,
  spec: EventTableSpec,
  signal?: AbortSignal,
): Promise<EventTable> {
  const path = `/api/cohorts/${encodeURIComponent(cohort)}/event-table?spec=${encodeURIComponent(JSON.stringify(spec))}`;
  return readEventTable(await bytes(path, signal));
}

/** Reads a table without copying its columns. Raises an error if it is of another version or cut off. */
export function readEventTable(buffer: ArrayBuffer): EventTable {
  const length = new DataView(buffer).getUint32(0, true);
  const text = new TextDecoder().decode(new Uint8Array(buffer, 4, length));
  const header = JSON.parse(text) as EventTableHeader;
  if (header.version !== 1)
    throw new Error(`The table of events has version ${String(header.version)}; this page reads version 1.`);
  const columns = new Columns(buffer, 4 + length);
  const { events, sequences } = header;
  return {
    header,
    sequence: columns.next(Uint32Array, events),
    weight: columns.next(Uint16Array, events),
    step: header.stepDtype === "uint8" ? columns.next(Uint8Array, events) : columns.next(Uint16Array, events),
    levels: columns.next(Uint8Array, events * header.attributes.length),
    positive: columns.next(Uint8Array, sequences),
    row: columns.next(Uint32Array, sequences),
    variant: columns.next(Uint8Array, sequences),
  };
}

interface ColumnType<T> {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBuffer, offset: number, length: number): T;
}

class Columns {
  constructor(
    private readonly buffer: ArrayBuffer,
    private offset: number,
  ) {}

  /** Each column starts at a multiple of four bytes. */
  next<T>(type: ColumnType<T>, length: number): T {
    this.offset = Math.ceil(this.offset / 4) * 4;
    const end = this.offset + length * type.BYTES_PER_ELEMENT;
    if (end > this.buffer.byteLength)
      throw new Error(
        "The table of events is cut off. Load the page again; if that does not help, tell the operator.",
      );
    const column = new type(this.buffer, this.offset, length);
    this.offset = end;
    return column;
  }
}
