/** The ends of a scale that several intervals share. */

import { number, type Line } from "./lines";

/** Covers these columns of all rows, and 0; with a sign, the same to both sides of 0. */
export function domainOf(
  rows: readonly Line[],
  names: readonly string[],
  symmetric: boolean,
): [number, number] {
  const found = rows.flatMap((line) => names.map((name) => number(line, name) ?? 0));
  const [low, high] = [Math.min(0, ...found), Math.max(0, ...found)];
  const most = Math.max(-low, high);
  if (most === 0) return symmetric ? [-1, 1] : [0, 1];
  return symmetric ? [-most, most] : [low, high];
}
