/** Columns of a table, and the order of its rows. */

import { plainNumber } from "../format/numbers";
import type { TableData } from "../api/types";

export type CellValue = string | number | boolean | null;

export interface Column<R> {
  name: string;
  text: string;
  /** What the column means, shown by its heading. */
  help?: string;
  /** Numbers stand at the right; found out from the values unless it is said. */
  numeric?: boolean;
  value: (row: R) => CellValue;
  /** How the value is written; numbers, words and "–" unless it is given. */
  show?: (row: R) => string;
}

export interface Order {
  column: string;
  descending: boolean;
}

export function cellText<R>(column: Column<R>, row: R): string {
  return column.show ? column.show(row) : valueText(column.value(row));
}

export function valueText(value: CellValue): string {
  if (value === null || value === "") return "–";
  if (typeof value === "boolean") return value ? "yes" : "no";
  return typeof value === "number" ? plainNumber(value) : value;
}

export function isNumeric<R>(column: Column<R>, rows: readonly R[]): boolean {
  if (column.numeric !== undefined) return column.numeric;
  const known = rows.map(column.value).filter((value) => value !== null);
  return known.length > 0 && known.every((value) => typeof value === "number");
}

/** Rows in an order; rows without a value come last both ways. */
export function ordered<R>(
  rows: readonly R[],
  columns: readonly Column<R>[],
  order: Order | null,
): readonly R[] {
  const column = columns.find((each) => each.name === order?.column);
  if (!column || !order) return rows;
  const sign = order.descending ? -1 : 1;
  return rows.toSorted((a, b) => {
    const [x, y] = [column.value(a), column.value(b)];
    if (x === null || y === null) return x === y ? 0 : x === null ? 1 : -1;
    return sign * compared(x, y);
  });
}

function compared(a: string | number | boolean, b: string | number | boolean): number {
  if (typeof a === "string" && typeof b === "string") return a.localeCompare(b, "en", { numeric: true });
  return Number(a) - Number(b);
}

export type DataRow = TableData["rows"][number];

/** The columns of a report. */
export function columnsOf(data: TableData): Column<DataRow>[] {
  return data.columns.map(({ name, text }, index) => ({ name, text, value: (row) => row[index] ?? null }));
}

/** A report as CSV. A text that a spreadsheet would run gets an apostrophe in front. */
export function csv(data: TableData): string {
  const lines = [data.columns.map(({ text }) => text), ...data.rows];
  return lines.map((line) => line.map(csvCell).join(",")).join("\r\n") + "\r\n";
}

function csvCell(value: CellValue): string {
  if (value === null) return "";
  if (typeof value !== "string") return String(value);
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
