/** Writes the cells of the grid into the pixels of an image. */

import { MatrixCells, type CellLayout } from "./cells";
import type { GridGeometry } from "./geometry";
import type { Measures } from "./measures";
import { HALF, type Palette } from "./palette";
import { EVEN_SHARE, roundedUp } from "./scale";
import type { Selector } from "./selection";

/** What stands where: made once for a geometry, read at every move of a slider. */
export interface PaintPlan {
  geometry: GridGeometry;
  /** The first pixel of each line of cells, the same in both directions. */
  starts: Int32Array;
  /** Line by line, the cell of the layout; −1 where a matrix of single levels has none. */
  cells: Int32Array;
  /** Line by line, 1 above the diagonal, where the variance stands. */
  above: Uint8Array;
}

/** The ends of the two scales. */
export interface ScaleEnds {
  saliency: number;
  variance: number;
}

export function paintPlan(layout: CellLayout, geometry: GridGeometry): PaintPlan {
  const lines = geometry.bands.flatMap((band, b) => band.levels.map((_, level) => ({ band: b, level })));
  const starts = Int32Array.from(
    lines,
    ({ band, level }) => geometry.bands[band]!.start + level * geometry.cell,
  );
  const cells = new Int32Array(lines.length ** 2);
  const above = new Uint8Array(lines.length ** 2);
  const matrices = geometry.bands.map((row) =>
    geometry.bands.map((column) => new MatrixCells(layout, column.position, row.position)),
  );
  lines.forEach((row, y) =>
    lines.forEach((column, x) => {
      cells[y * lines.length + x] = matrices[row.band]![column.band]!.at(column.level, row.level);
      above[y * lines.length + x] = column.band > row.band ? 1 : 0;
    }),
  );
  return { geometry, starts, cells, above };
}

/** The ends of scales that hold what is shown, rounded up. */
export function scaleEnds({ cells, above }: PaintPlan, { saliency, variance }: Measures): ScaleEnds {
  const ends = { saliency: 0, variance: 0 };
  for (let k = 0; k < cells.length; k++) {
    const cell = cells[k]!;
    if (cell < 0) continue;
    if (above[k]) ends.variance = Math.max(ends.variance, Math.abs(variance[cell]!));
    else ends.saliency = Math.max(ends.saliency, Math.abs(saliency[cell]!));
  }
  return { saliency: roundedUp(ends.saliency), variance: roundedUp(ends.variance) };
}

/** Paints all cells. The image is as wide and high as the grid, and keeps what lies between matrices. */
export function paintCells(
  pixels: Uint32Array,
  plan: PaintPlan,
  found: Measures,
  ends: ScaleEnds,
  colours: Palette,
  selector: Selector,
): void {
  const { size, cell } = plan.geometry;
  const { starts, cells, above } = plan;
  const lines = starts.length;
  const line = cellLine(cell, plan.geometry.pixelRatio);
  const saliency = indexes(found.saliency, ends.saliency, selector);
  const variance = indexes(found.variance, ends.variance, selector);
  for (let y = 0; y < lines; y++) {
    const from = starts[y]! * size;
    for (let x = 0; x < lines; x++) {
      const at = cells[y * lines + x]!;
      if (at < 0) continue;
      const index = above[y * lines + x] ? variance[at]! : saliency[at]!;
      const left = from + starts[x]!;
      // A cell without weight stays empty, as a cell that cannot be.
      const colour = index === HALF ? 0 : colours.pixels[index]!;
      // A loop, because `fill` takes longer for so few pixels.
      for (let pixel = left; pixel < left + cell - line; pixel++) pixels[pixel] = colour;
    }
    for (let copy = 1; copy < cell - line; copy++) pixels.copyWithin(from + copy * size, from, from + size);
  }
}

/** The width of the line between two cells: none where cells are small. */
function cellLine(cell: number, pixelRatio: number): number {
  return cell >= 9 * pixelRatio ? Math.max(1, Math.round(pixelRatio / 2)) : 0;
}

/** The colour of each cell. `intensity` and `colourIndex` in one loop, because it runs at every move. */
function indexes(values: Float64Array, largest: number, selector: Selector): Uint16Array {
  const found = new Uint16Array(values.length).fill(HALF);
  if (largest <= 0) return found;
  const even = EVEN_SHARE * largest;
  const full = HALF / Math.log1p(1 / EVEN_SHARE);
  const turn = selector === "negative" ? -1 : 1;
  for (let cell = 0; cell < values.length; cell++) {
    const value = values[cell]!;
    if (value === 0) continue;
    const size = Math.min(HALF, Math.max(1, Math.round(Math.log1p(Math.abs(value) / even) * full)));
    found[cell] = HALF + (value < 0 ? -turn : turn) * size;
  }
  return found;
}
