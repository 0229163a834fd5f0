/** Where the cells of all pairs of attributes stand in one array. */

import type { EventTable } from "./eventTable";
import { NO_LEVEL } from "./eventTable";

/** The most sums of a grid: pairs of levels, times steps, times two classes. 64 MB as doubles. */
export const MAXIMUM_SUMS = 8_000_000;

export interface CellLayout {
  /** Indexes of the table's attributes that are counted. */
  attributes: readonly number[];
  /** Of each of these: the levels that occur, ascending. */
  levels: readonly (readonly number[])[];
  steps: number;
  /** Of each pair of positions p ≤ q, at p · n + q: its first cell. */
  starts: Int32Array;
  cells: number;
}

/** Lays out the pairs of some attributes; cell (i, j) of p < q stands at start + i · (levels of q) + j, (i, i) at start + i. */
export function cellLayout(
  levels: readonly (readonly number[])[],
  attributes: readonly number[],
  steps: number,
): CellLayout {
  const n = attributes.length;
  const chosen = attributes.map((k) => levels[k] ?? []);
  const starts = new Int32Array(n * n);
  let cells = 0;
  chosen.forEach((first, p) => {
    starts[p * n + p] = cells;
    cells += first.length;
    for (let q = p + 1; q < n; q++) {
      starts[p * n + q] = cells;
      cells += first.length * (chosen[q]?.length ?? 0);
    }
  });
  return { attributes, levels: chosen, steps, starts, cells };
}

/** The levels of each attribute that at least one event has. */
export function levelsThatOccur(table: EventTable): number[][] {
  const { events, attributes } = table.header;
  return attributes.map((_, k) => {
    const found = new Uint8Array(256);
    const column = table.levels.subarray(k * events, (k + 1) * events);
    for (const level of column) found[level] = 1;
    return Array.from({ length: NO_LEVEL }, (_, level) => level).filter((level) => found[level] === 1);
  });
}

/** As many of the attributes, in their order, as can be counted together. */
export function attributesThatFit(
  levels: readonly (readonly number[])[],
  attributes: readonly number[],
  steps: number,
  maximumSums = MAXIMUM_SUMS,
): number[] {
  const fitting: number[] = [];
  for (const k of attributes)
    if (cellLayout(levels, [...fitting, k], steps).cells * steps * 2 <= maximumSums) fitting.push(k);
  return fitting;
}

/** Finds the cells of one matrix: column attribute `p`, row attribute `q`, as positions in the layout. */
export class MatrixCells {
  readonly columns: readonly number[];
  readonly rows: readonly number[];
  private readonly start: number;
  private readonly columnStride: number;
  private readonly rowStride: number;

  constructor(
    layout: CellLayout,
    readonly p: number,
    readonly q: number,
  ) {
    const n = layout.attributes.length;
    this.columns = layout.levels[p] ?? [];
    this.rows = layout.levels[q] ?? [];
    this.start = layout.starts[Math.min(p, q) * n + Math.max(p, q)] ?? 0;
    this.columnStride = p < q ? this.rows.length : 1;
    this.rowStride = p < q ? 1 : this.columns.length;
  }

  /** The cell of the i-th column and the j-th row; −1 off the diagonal of a matrix of single levels. */
  at(i: number, j: number): number {
    if (this.p === this.q) return i === j ? this.start + i : -1;
    return this.start + i * this.columnStride + j * this.rowStride;
  }
}
