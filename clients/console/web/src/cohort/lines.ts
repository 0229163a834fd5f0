/** The rows of a report by the names of their columns. */

import type { TableData } from "../api/types";

export type Line = Record<string, string | number | boolean | null>;

export function lines(table: TableData | undefined): Line[] {
  if (!table) return [];
  return table.rows.map((row) =>
    Object.fromEntries(table.columns.map((column, index) => [column.name, row[index] ?? null])),
  );
}

/** A number of a row; null if it has none. */
export function number(line: Line | undefined, name: string): number | null {
  const value = line?.[name];
  return typeof value === "number" ? value : null;
}

/** A text of a row; empty if it has none. */
export function text(line: Line | undefined, name: string): string {
  const value = line?.[name];
  return typeof value === "string" ? value : "";
}

/** The same table with features called as people know them. */
export function withLabels(table: TableData, labels: ReadonlyMap<string, string>): TableData {
  const place = table.columns.findIndex((column) => column.name === "feature");
  if (place < 0) return table;
  const rows = table.rows.map((row) =>
    row.map((value, index) =>
      index === place && typeof value === "string" ? (labels.get(value) ?? value) : value,
    ),
  );
  return { ...table, rows };
}
