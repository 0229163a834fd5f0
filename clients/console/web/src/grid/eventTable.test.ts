import { describe, expect, it } from "vitest";
import { readEventTable } from "./eventTable";
import { syntheticTable } from "./synthetic";
import type { EventTable } from "./eventTable";

/** The bytes of a table, as the server writes them. */
function written(table: EventTable): ArrayBuffer {
  const text = new TextEncoder().encode(JSON.stringify(table.header));
  const header = new Uint8Array(Math.ceil((4 + text.length) / 8) * 8 - 4).fill(32);
  header.set(text);
  const { sequence, weight, step, levels, positive, row, variant } = table;
  const parts = [
    new Uint32Array([header.length]),
    header,
    sequence,
    weight,
    step,
    levels,
    positive,
    row,
    variant,
  ];
  const padded = parts.map((part) => {
    const bytes = new Uint8Array(Math.ceil(part.byteLength / 4) * 4);
    bytes.set(new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
    return bytes;
  });
  const all = new Uint8Array(padded.reduce((sum, part) => sum + part.length, 0));
  padded.reduce((offset, part) => (all.set(part, offset), offset + part.length), 0);
  return all.buffer;
}

describe("the table of events", () => {
  const table = syntheticTable({ attributes: 3, levels: 4, steps: 3, sequences: 7, seed: 1, missing: 0.2 });

  it("comes back as it was written", () => {
    expect(readEventTable(written(table))).toEqual(table);
  });

  it("has steps of two bytes if the header says so", () => {
    const wide = { ...table, header: { ...table.header, stepDtype: "uint16" as const } };
    const read = readEventTable(written({ ...wide, step: Uint16Array.from(table.step) }));
    expect(Array.from(read.step)).toEqual(Array.from(table.step));
  });

  it("is refused if it is cut off or of another version", () => {
    expect(() => readEventTable(written(table).slice(0, -8))).toThrow("cut off");
    const other = { ...table, header: { ...table.header, version: 2 as unknown as 1 } };
    expect(() => readEventTable(written(other))).toThrow("version 2");
  });
});
