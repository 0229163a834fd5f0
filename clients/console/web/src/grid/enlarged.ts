/** How large the cells of an enlarged matrix are, in CSS pixels, so that all columns stand in the room that there is. */

export interface CellSizes {
  /** Of the names of rows. */
  label: number;
  cell: number;
  /** Of the whole table. */
  whole: number;
  /** Whether numbers fit, and whether only small ones do. */
  numbered: boolean;
  small: boolean;
}

const LARGEST = 40;
/** Narrower cells cannot be hit; the table scrolls instead. */
const SMALLEST = 15;
const NUMBERED = 21;
const ROOMY = 31;
const NARROW_LABEL = 62;
const WIDE_LABEL = 110;
const GAP = 1;

export function cellSizes(room: number, columns: number): CellSizes {
  const label = room < 460 ? NARROW_LABEL : WIDE_LABEL;
  const free = (room - label - 2 * GAP) / Math.max(1, columns) - GAP;
  const cell = Math.floor(Math.min(LARGEST, Math.max(SMALLEST, free)));
  return {
    label,
    cell,
    whole: label + columns * (cell + GAP) + 2 * GAP,
    numbered: cell >= NUMBERED,
    small: cell < ROOMY,
  };
}
