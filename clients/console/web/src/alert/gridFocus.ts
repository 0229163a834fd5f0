/** Moves the focus between the cells of a table with the arrow keys, Home, End, Page Up and Page Down. */

export interface Spot {
  row: number;
  column: number;
}

const PAGE = 10;

/** Returns the new place; null if the key does not move. */
export function moved(from: Spot, key: string, size: { rows: number; columns: number }): Spot | null {
  const steps: Record<string, [number, number]> = {
    ArrowUp: [-1, 0],
    ArrowDown: [1, 0],
    ArrowLeft: [0, -1],
    ArrowRight: [0, 1],
    PageUp: [-PAGE, 0],
    PageDown: [PAGE, 0],
    Home: [0, -size.columns],
    End: [0, size.columns],
  };
  const step = steps[key];
  if (!step) return null;
  const [row, column] = [from.row + step[0], from.column + step[1]];
  return { row: clamped(row, size.rows), column: clamped(column, size.columns) };
}

function clamped(index: number, count: number): number {
  return Math.max(0, Math.min(count - 1, index));
}
