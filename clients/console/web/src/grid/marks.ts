/** What is behind the cells of a grid: their numbers, their events, and the question for their sequences. */

import type { Members, TableData } from "../api/types";
import { MatrixCells } from "./cells";
import { pairCounts, type Counter } from "./counting";
import type { EventTable } from "./eventTable";
import type { Measures } from "./measures";
import { shareOf, type GridSelection, type TableSource } from "./selection";
import { MEASURE_WORDS, levelWords, type CellFacts, type MeasureName } from "./words";

/** Everything that a grid shows at one moment. */
export interface Shown {
  table: EventTable;
  counter: Counter;
  found: Measures;
  selection: GridSelection;
}

/** One matrix: attributes of column and row as indexes of the table, and what its cells tell. */
export interface Matrix {
  column: number;
  row: number;
  measure: MeasureName;
}

/** A matrix below the diagonal shows saliency, one above it the variance. */
export function matrixAt(attributes: readonly number[], column: number, row: number): Matrix {
  const [p, q] = [attributes[column] ?? 0, attributes[row] ?? 0];
  return { column: p, row: q, measure: column > row ? "variance" : "saliency" };
}

export function cellsOf({ counter }: Shown, { column, row }: Matrix): MatrixCells {
  const { layout } = counter.data;
  return new MatrixCells(layout, layout.attributes.indexOf(column), layout.attributes.indexOf(row));
}

/** The numbers of cell (i, j); null off the diagonal of a matrix of single levels. */
export function cellFacts(shown: Shown, matrix: Matrix, i: number, j: number): CellFacts | null {
  const cells = cellsOf(shown, matrix);
  const cell = cells.at(i, j);
  if (cell < 0) return null;
  const { attributes } = shown.table.header;
  const names = [levelWords(attributes[matrix.column]!, cells.columns[i]!)];
  if (matrix.column !== matrix.row) names.push(levelWords(attributes[matrix.row]!, cells.rows[j]!));
  return {
    levels: names,
    measure: matrix.measure,
    value: shown.found[matrix.measure][cell]!,
    events: eventsOf(shown, matrix, i, j),
  };
}

// Counting the events of a pair takes a pass over all events, and moves of the pointer ask again and again.
const counted = new WeakMap<Measures, Map<string, Uint32Array>>();

/** How many events of the positive and of the negative class a cell has. */
export function eventsOf(shown: Shown, matrix: Matrix, i: number, j: number): [number, number] {
  const cells = cellsOf(shown, matrix);
  const known = counted.get(shown.found) ?? new Map<string, Uint32Array>();
  counted.set(shown.found, known);
  const key = `${cells.p}-${cells.q}`;
  const counts =
    known.get(key) ??
    pairCounts(shown.counter.data, [cells.p, cells.q], shown.counter.places, shown.selection.steps);
  known.set(key, counts);
  const at = j * cells.columns.length + i;
  return [counts[at] ?? 0, counts[cells.columns.length * cells.rows.length + at] ?? 0];
}

/** The question for the sequences behind a cell. */
export function cellMembers(
  shown: Shown,
  source: TableSource,
  matrix: Matrix,
  i: number,
  j: number,
): Members {
  const cells = cellsOf(shown, matrix);
  const { selector, range, steps } = shown.selection;
  const [variant] = source.spec.variants;
  return {
    ...(variant === undefined ? {} : { variant }),
    kind: "grid_cell",
    spec: source.spec,
    pair: [matrix.column, matrix.row],
    levels: [cells.columns[i]!, cells.rows[j]!],
    class: selector === "difference" ? "both" : selector,
    weights: [shareOf(range[0]), shareOf(range[1])],
    steps: [steps[0], steps[1]],
  };
}

/** The strongest cell of a matrix; null if all are 0. */
export function strongestCell(shown: Shown, matrix: Matrix): CellFacts | null {
  const cells = cellsOf(shown, matrix);
  const values = shown.found[matrix.measure];
  let best = { size: 0, i: -1, j: -1 };
  cells.columns.forEach((_, i) =>
    cells.rows.forEach((_, j) => {
      const cell = cells.at(i, j);
      const size = cell < 0 ? 0 : Math.abs(values[cell]!);
      if (size > best.size) best = { size, i, j };
    }),
  );
  return best.i < 0 ? null : cellFacts(shown, matrix, best.i, best.j);
}

/** So many cells of each measure stand in the table of the grid. */
const LISTED = 100;

/** The strongest cells of the grid as a table, for those who read numbers rather than colours. */
export function gridNumbers(shown: Shown): TableData {
  const { positive, negative } = shown.table.header.class;
  const rows = (["saliency", "variance"] as const).flatMap((measure) =>
    strongest(shown, measure).map(({ matrix, i, j }) => {
      const facts = cellFacts(shown, matrix, i, j)!;
      return [MEASURE_WORDS[measure], facts.levels[0]!, facts.levels[1] ?? "", facts.value, ...facts.events];
    }),
  );
  return {
    columns: [
      { name: "measure", text: "What" },
      { name: "column", text: "Level" },
      { name: "row", text: "With" },
      { name: "value", text: "Value" },
      { name: "positive", text: `Events of ${positive}` },
      { name: "negative", text: `Events of ${negative}` },
    ],
    rows,
    notes: [`The ${LISTED} cells with the largest values of each kind, without sign.`],
  };
}

interface Listed {
  matrix: Matrix;
  i: number;
  j: number;
  size: number;
}

function strongest(shown: Shown, measure: MeasureName): Listed[] {
  const { attributes } = shown.selection;
  const values = shown.found[measure];
  const all: Listed[] = [];
  attributes.forEach((_, c) =>
    attributes.forEach((_, r) => {
      const matrix = matrixAt(attributes, c, r);
      if (matrix.measure !== measure) return;
      const cells = cellsOf(shown, matrix);
      cells.columns.forEach((_, i) =>
        cells.rows.forEach((_, j) => {
          const cell = cells.at(i, j);
          if (cell >= 0 && values[cell] !== 0) all.push({ matrix, i, j, size: Math.abs(values[cell]!) });
        }),
      );
    }),
  );
  return all.sort((a, b) => b.size - a.size).slice(0, LISTED);
}

/** The positions of the levels with the most weight, in their order, if there are more than can be shown. */
export function mostWeight(sizes: readonly number[], most: number): number[] {
  const all = sizes.map((_, k) => k);
  if (all.length <= most) return all;
  return all
    .sort((a, b) => sizes[b]! - sizes[a]!)
    .slice(0, most)
    .sort((a, b) => a - b);
}
