import { describe, expect, it } from "vitest";
import { columnsOf, csv, isNumeric, ordered, valueText, type Column } from "./table";

interface Row {
  name: string;
  n: number | null;
}
const columns: Column<Row>[] = [
  { name: "name", text: "Name", value: (row) => row.name },
  { name: "n", text: "n", value: (row) => row.n },
];
const rows: Row[] = [
  { name: "b10", n: 2 },
  { name: "b9", n: null },
  { name: "a", n: -1 },
];

describe("a table", () => {
  it("is ordered by a column, with unknown values last both ways", () => {
    const names = (descending: boolean, column: string): string[] =>
      ordered(rows, columns, { column, descending }).map((row) => row.name);
    expect(names(false, "n")).toEqual(["a", "b10", "b9"]);
    expect(names(true, "n")).toEqual(["b10", "a", "b9"]);
    expect(names(false, "name")).toEqual(["a", "b9", "b10"]);
    expect(ordered(rows, columns, null)).toBe(rows);
  });

  it("finds columns of numbers by their values", () => {
    expect(columns.map((column) => isNumeric(column, rows))).toEqual([false, true]);
  });

  it("writes values that people can read", () => {
    expect([null, "", true, false, 0.12345, "x"].map(valueText)).toEqual([
      "–",
      "–",
      "yes",
      "no",
      "0.123",
      "x",
    ]);
  });

  it("becomes CSV that no spreadsheet runs", () => {
    const data = {
      columns: [
        { name: "a", text: "A, B" },
        { name: "b", text: "C" },
      ],
      rows: [
        ["=1+1", -0.5],
        ['say "x"', null],
      ],
      notes: [],
    };
    expect(csv(data)).toBe('"A, B",C\r\n\'=1+1,-0.5\r\n"say ""x""",\r\n');
    expect(columnsOf(data)[1]?.value(data.rows[0] ?? [])).toBe(-0.5);
  });
});
