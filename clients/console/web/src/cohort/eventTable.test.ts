import { describe, expect, it } from "vitest";
import { readEventTable } from "./eventTable";

function written(columns: ArrayBufferView[], header: object): ArrayBuffer {
  const text = new TextEncoder().encode(JSON.stringify(header));
  const padded = text.length + ((8 - ((4 + text.length) % 8)) % 8);
  const parts: Uint8Array[] = [new Uint8Array(4 + padded).fill(32)];
  new DataView(parts[0]!.buffer).setUint32(0, padded, true);
  parts[0]!.set(text, 4);
  for (const column of columns) {
    const part = new Uint8Array(Math.ceil(column.byteLength / 4) * 4);
    part.set(new Uint8Array(column.buffer, column.byteOffset, column.byteLength));
    parts.push(part);
  }
  return new Uint8Array(parts.flatMap((part) => [...part])).buffer;
}

describe("readEventTable", () => {
  it("finds every column behind the padding of the one before", () => {
    const header = { events: 3, sequences: 2, attributes: [{}, {}], stepDtype: "uint8" };
    const table = readEventTable(
      written(
        [
          new Uint32Array([0, 0, 1]),
          new Uint16Array([65535, 1, 2]),
          new Uint8Array([0, 1, 1]),
          new Uint8Array([1, 2, 255, 4, 5, 6]),
          new Uint8Array([1, 0]),
          new Uint32Array([7, 9]),
          new Uint8Array([0, 0]),
        ],
        header,
      ),
    );
    expect([...table.sequence]).toEqual([0, 0, 1]);
    expect([...table.weight]).toEqual([65535, 1, 2]);
    expect([...table.step]).toEqual([0, 1, 1]);
    expect(table.levels.map((each) => [...each])).toEqual([
      [1, 2, 255],
      [4, 5, 6],
    ]);
    expect([...table.class]).toEqual([1, 0]);
    expect([...table.row]).toEqual([7, 9]);
  });
});
