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

const LETTER = 6.3;
const SMALL_LETTER = 5.7;
const SLANT = Math.sin((40 * Math.PI) / 180);

/** Wide pages have more room for names; names and levels in letters of the longest. */
export function marginFor(width: number, nameLetters: number, levelLetters: number): Margin {
  const levels = 6 + Math.ceil(Math.min(6, levelLetters) * SMALL_LETTER);
  const names = Math.min(width < 620 ? 58 : 92, 6 + Math.ceil(nameLetters * LETTER));
  const slanted = Math.min(66, 12 + Math.ceil(nameLetters * LETTER * SLANT));
  const right = Math.ceil(slanted / Math.tan((40 * Math.PI) / 180)) - 18;
  return {
    levels,
    names,
    slanted,
    left: levels + names + 8,
    top: levels + slanted + 8,
    right: Math.max(8, right),
  };
}
