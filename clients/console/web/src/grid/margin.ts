/** The room for labels around the grid, in CSS pixels, and how column names stand so that none runs into the next. */

import { wrapped } from "./labels";

export interface Margin {
  left: number;
  top: number;
  /** For names that lean out to the right. */
  right: number;
  /** The part of left and top that labels of levels take. */
  levels: number;
  /** The part of the left that names take. */
  names: number;
  /** The part of the top that leaning names take. */
  slanted: number;
  columns: ColumnNames;
}

/** How names of columns stand. */
export interface ColumnNames {
  degrees: number;
  fontPixels: number;
  /** How many letters of a name are shown. */
  letters: number;
}

/** The width of a letter at a size of 11 pixels. */
export const LETTER = 6.5;
export const LINE = 12;
const SMALL_LETTER = 5.7;
const NAME_PIXELS = 11;
const WIDEST_NAMES = 160;
const LONGEST_COLUMN_NAME = 128;

/** A name with the size of its band of the grid. */
export interface NamedBand {
  name: string;
  size: number;
}

/** Row names are as wide as the longest needs in the lines that its row has room for. */
export function marginFor(bands: readonly NamedBand[], levelLetters: number): Margin {
  const levels = 6 + Math.ceil(Math.min(6, levelLetters) * SMALL_LETTER);
  const needed = Math.max(1, ...bands.map(({ name, size }) => lettersFor(name, linesIn(size))));
  const names = Math.min(WIDEST_NAMES, 6 + Math.ceil(needed * LETTER));
  const { columns, length } = columnNames(bands);
  const radians = (columns.degrees * Math.PI) / 180;
  const slanted = 8 + Math.ceil(length * Math.sin(radians));
  // The last name begins in the middle of the last band.
  const right = length * Math.cos(radians) - (bands.at(-1)?.size ?? 0) / 2 + 8;
  return {
    levels,
    names,
    slanted,
    left: levels + names + 8,
    top: levels + slanted + 8,
    right: Math.max(8, Math.ceil(right)),
    columns,
  };
}

export const linesIn = (size: number): number => Math.max(1, Math.floor((size + 4) / LINE));

/** The fewest letters a line needs so that the whole name stands in so many lines. */
function lettersFor(name: string, lines: number): number {
  const longest = Math.max(...name.split(/\s+/).map((word) => word.length));
  for (let letters = longest; letters < name.length; letters += 1)
    if (wrapped(name, letters, lines).join(" ") === name) return letters;
  return name.length;
}

/** The least slant at which the lines of neighbours are far enough apart; if none is, smaller letters. */
export function columnNames(bands: readonly NamedBand[]): { columns: ColumnNames; length: number } {
  const nearest = Math.min(
    Infinity,
    ...bands.slice(1).map(({ size }, k) => (size + (bands[k]?.size ?? 0)) / 2),
  );
  const degrees =
    [40, 55, 70].find((each) => nearest * Math.sin((each * Math.PI) / 180) >= NAME_PIXELS + 1.5) ?? 90;
  const fontPixels = Math.max(
    8,
    Math.min(NAME_PIXELS, Math.floor(degrees === 90 ? nearest - 1 : NAME_PIXELS)),
  );
  const letter = (LETTER * fontPixels) / NAME_PIXELS;
  const letters = Math.floor(LONGEST_COLUMN_NAME / letter);
  const longest = Math.max(1, ...bands.map(({ name }) => name.length));
  return {
    columns: { degrees, fontPixels, letters },
    length: Math.ceil(Math.min(letters, longest) * letter),
  };
}
