/** The room for labels around the grid, in CSS pixels. */

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
}

/** Wide pages have more room for names. */
export function marginFor(width: number): Margin {
  const levels = 38;
  const names = width < 620 ? 58 : 92;
  const slanted = 62;
  return { levels, names, slanted, left: levels + names + 8, top: levels + slanted + 8, right: 58 };
}
