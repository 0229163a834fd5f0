/** Where matrices and cells of the grid stand, in device pixels, so that every cell has whole pixels. */

import type { CellLayout } from "./cells";
import type { RowGeometry } from "./selection";

export interface Band {
  /** The table's index of the attribute. */
  attribute: number;
  /** Its position in the layout of cells. */
  position: number;
  levels: readonly number[];
  start: number;
  size: number;
}

/** The same bands from left to right and from top to bottom. */
export interface GridGeometry {
  pixelRatio: number;
  cell: number;
  size: number;
  bands: readonly Band[];
}

export interface CellPlace {
  /** Positions among the bands. */
  column: number;
  row: number;
  /** Positions among the levels of the column's and of the row's attribute. */
  i: number;
  j: number;
}

/** Cells are at least 3 and at most 34 CSS pixels wide. */
const SMALLEST_CELL = 3;
const LARGEST_CELL = 34;
/** Between two matrices, in CSS pixels. */
const GAP = 3;

export function gridGeometry(
  layout: CellLayout,
  attributes: readonly number[],
  available: number,
  pixelRatio: number,
): GridGeometry {
  const gap = Math.max(1, Math.round(GAP * pixelRatio));
  const positions = attributes.map((each) => layout.attributes.indexOf(each)).filter((each) => each >= 0);
  const levels = positions.reduce((sum, position) => sum + (layout.levels[position]?.length ?? 0), 0);
  const room = available * pixelRatio - gap * (positions.length - 1);
  const cell = Math.floor(
    Math.min(LARGEST_CELL * pixelRatio, Math.max(SMALLEST_CELL * pixelRatio, room / Math.max(1, levels))),
  );
  let start = 0;
  const bands = positions.map((position) => {
    const band: Band = {
      attribute: layout.attributes[position]!,
      position,
      levels: layout.levels[position]!,
      start,
      size: cell * layout.levels[position]!.length,
    };
    start += band.size + gap;
    return band;
  });
  return { pixelRatio, cell, size: Math.max(0, start - gap), bands };
}

/** The cell at a point in CSS pixels; null between matrices and outside. */
export function cellAt(geometry: GridGeometry, x: number, y: number): CellPlace | null {
  const column = bandAt(geometry, x * geometry.pixelRatio);
  const row = bandAt(geometry, y * geometry.pixelRatio);
  return column && row ? { column: column.band, row: row.band, i: column.level, j: row.level } : null;
}

function bandAt({ bands, cell }: GridGeometry, pixel: number): { band: number; level: number } | null {
  const band = bands.findIndex(({ start, size }) => pixel >= start && pixel < start + size);
  return band < 0 ? null : { band, level: Math.floor((pixel - bands[band]!.start) / cell) };
}

/** The rows for what stands beside the grid, in CSS pixels; `above` is the room of the labels at the top. */
export function rowGeometry({ bands, cell, pixelRatio }: GridGeometry, above = 0): RowGeometry[] {
  return bands.map(({ attribute, start, size, levels }) => ({
    attribute,
    top: above + start / pixelRatio,
    height: size / pixelRatio,
    levels: levels.map((level, j) => ({ level, centre: above + (start + (j + 0.5) * cell) / pixelRatio })),
  }));
}
