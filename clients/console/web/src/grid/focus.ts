/** Where the focus goes in a table of matrices or cells. */

export interface Spot {
  column: number;
  row: number;
}

/** The spot after a key; null for a key that moves nothing. At the edge the focus stays. */
export function moved({ column, row }: Spot, key: string, lastColumn: number, lastRow: number): Spot | null {
  const to = (c: number, r: number): Spot => ({
    column: Math.max(0, Math.min(lastColumn, c)),
    row: Math.max(0, Math.min(lastRow, r)),
  });
  switch (key) {
    case "ArrowLeft":
      return to(column - 1, row);
    case "ArrowRight":
      return to(column + 1, row);
    case "ArrowUp":
      return to(column, row - 1);
    case "ArrowDown":
      return to(column, row + 1);
    case "Home":
      return to(0, row);
    case "End":
      return to(lastColumn, row);
    case "PageUp":
      return to(column, 0);
    case "PageDown":
      return to(column, lastRow);
    default:
      return null;
  }
}
