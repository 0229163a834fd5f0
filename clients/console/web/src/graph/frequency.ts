/** How frequent an edge or a node is, so that classes of different sizes compare. */

import type { Both, EdgeCounts, EdgeStyle, Measure } from "./figure";

/** What a count is divided by. */
export function divisors(counts: Pick<EdgeCounts, "classSizes">, measure: Measure): Both<number> {
  const { positive, negative } = counts.classSizes;
  return measure === "share"
    ? { positive: Math.max(1, positive), negative: Math.max(1, negative) }
    : { positive: 1, negative: 1 };
}

export const frequencies = (counts: Both<number>, by: Both<number>): Both<number> => ({
  positive: counts.positive / by.positive,
  negative: counts.negative / by.negative,
});

/** The frequency that a style shows; its sign is the class that has more. */
export function shown(style: EdgeStyle, positive: number, negative: number): number {
  if (style === "difference") return positive - negative;
  if (style === "positive") return positive;
  return style === "negative" ? negative : Math.max(positive, negative);
}

/** The frequencies of all edges or nodes, as a style shows them. */
export function shownAll(columns: Both<Uint32Array>, by: Both<number>, style: EdgeStyle): Float64Array {
  const found = new Float64Array(columns.positive.length);
  for (let i = 0; i < found.length; i++)
    found[i] = shown(
      style,
      (columns.positive[i] as number) / by.positive,
      (columns.negative[i] as number) / by.negative,
    );
  return found;
}

/** The largest value of a scale. Both classes share it, unless it is of their difference. */
export function largest(columns: Both<Uint32Array>, by: Both<number>, style: EdgeStyle): number {
  const common = style === "difference" ? "difference" : "overlay";
  return shownAll(columns, by, common).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}

export const at = (columns: Both<Uint32Array>, i: number): Both<number> => ({
  positive: columns.positive[i] ?? 0,
  negative: columns.negative[i] ?? 0,
});

/** The rarest line can still be seen alone, and the most frequent one is never quite opaque. */
const FAINTEST = 0.02;
const STRONGEST = 0.95;
/** How much of a plot lines may cover, if they were opaque, before all of them are drawn fainter. */
const MOST_INK = 1.5;

/** The opacity of the most frequent line of plots that lines would cover so many times: lower where lines are dense. */
export const strongestOpacity = (ink: number): number =>
  Math.max(0.1, Math.min(STRONGEST, (STRONGEST * MOST_INK) / Math.max(ink, 1e-9)));

/** The opacity of a line whose frequency is a share of the largest. */
export const lineOpacity = (share: number, strongest: number): number =>
  Math.max(FAINTEST, strongest * Math.min(1, share));

/** The intensity of a node, which must be seen also if it is rare. */
export const nodeOpacity = (share: number): number => 0.18 + 0.82 * Math.min(1, share) ** 0.6;
