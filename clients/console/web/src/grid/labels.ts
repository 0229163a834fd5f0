/** Which names and levels stand at the sides of the grid, where there is room for them. */

import type { GridAttribute } from "../api/types";
import type { GridGeometry } from "./geometry";

/** Two labels of levels need so many CSS pixels between their centres. */
const LEVEL_DISTANCE = 11;

export interface LevelLabel {
  text: string;
  centre: number;
}

export interface NameLabel {
  attribute: number;
  /** The whole name. */
  title: string;
  /** In lines that fit. */
  lines: string[];
  start: number;
  size: number;
}

/** The labels of levels of all bands: every one, or every second, third … of a band if cells are small. */
export function levelLabels(
  geometry: GridGeometry,
  attributes: readonly GridAttribute[],
  characters: number,
): LevelLabel[] {
  const { bands, cell, pixelRatio } = geometry;
  const every = Math.max(1, Math.ceil((LEVEL_DISTANCE * pixelRatio) / cell));
  return bands.flatMap((band, b) => {
    const next = (bands[b + 1]?.start ?? Infinity) / pixelRatio;
    return band.levels.flatMap((level, k) => {
      const centre = (band.start + (k + 0.5) * cell) / pixelRatio;
      // The last label of a band gives way to the first of the next.
      if (k % every !== 0 || (k > 0 && next - centre < LEVEL_DISTANCE - 1)) return [];
      return [{ text: shortened(shortLevel(attributes[band.attribute]!, level), characters), centre }];
    });
  });
}

export function nameLabels(
  geometry: GridGeometry,
  attributes: readonly GridAttribute[],
  characters: number,
  linesIn: (size: number) => number,
): NameLabel[] {
  return geometry.bands.map((band) => {
    const { label } = attributes[band.attribute]!;
    const size = band.size / geometry.pixelRatio;
    const lines = wrapped(label, characters, linesIn(size));
    return { attribute: band.attribute, title: label, lines, start: band.start / geometry.pixelRatio, size };
  });
}

/** A level in few letters: of a bin its lower end. */
export function shortLevel(attribute: GridAttribute, level: number): string {
  const edge = attribute.edges?.[level];
  if (attribute.kind !== "numeric" || edge === undefined) return attribute.levels[level] ?? "";
  return compact.format(edge).replace("-", "−");
}

const compact = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

export function shortened(text: string, characters: number): string {
  return text.length <= characters ? text : `${text.slice(0, characters - 1).trimEnd()}…`;
}

/** A name in lines of so many letters at most; what does not fit is left out, with "…". */
export function wrapped(text: string, characters: number, lines: number): string[] {
  const found: string[] = [];
  for (const word of text.split(/\s+/)) {
    const last = found.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= characters)
      found[found.length - 1] = `${last} ${word}`;
    else found.push(word);
  }
  const shown = found.slice(0, lines);
  if (found.length > lines) shown[lines - 1] = `${(shown[lines - 1] ?? "").slice(0, characters - 1)}…`;
  return shown.map((line) => shortened(line, characters));
}
