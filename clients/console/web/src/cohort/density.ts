/** Where the strips, bins and dots of a density figure are; columns for events, rows for features. */

import type { DensityData } from "../api/types";

export type Direction = "columns" | "rows";

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** The plot without its labels, in CSS pixels. */
export interface Plot extends Box {
  direction: Direction;
  strips: number;
  low: number;
  high: number;
}

/** A strip and a bin of it. */
export interface Spot {
  row: number;
  bin: number;
}

export function plotOf(data: DensityData, direction: Direction, box: Box): Plot {
  return {
    ...box,
    direction,
    strips: Math.max(1, data.rows.length),
    low: data.edges[0] ?? 0,
    high: data.edges.at(-1) ?? 1,
  };
}

/** Values beyond an open bin are shown at its end. */
const clamped = (share: number): number => Math.min(1, Math.max(0, share));

/** Where a value is along the axis of values: to the right in rows, upwards in columns. */
export function along(plot: Plot, value: number): number {
  const share = plot.high > plot.low ? clamped((value - plot.low) / (plot.high - plot.low)) : 0.5;
  return plot.direction === "rows" ? plot.x + share * plot.width : plot.y + (1 - share) * plot.height;
}

/** The thickness of a strip. */
export function thickness(plot: Plot): number {
  return (plot.direction === "rows" ? plot.height : plot.width) / plot.strips;
}

/** The middle of a strip. In columns time runs to the right, so that the latest event, the first strip, is the last. */
export function middle(plot: Plot, row: number): number {
  const place = plot.direction === "rows" ? row : plot.strips - 1 - row;
  return (plot.direction === "rows" ? plot.y : plot.x) + (place + 0.5) * thickness(plot);
}

export function binBox(data: DensityData, plot: Plot, { row, bin }: Spot): Box {
  const [from, to] = [along(plot, data.edges[bin] ?? 0), along(plot, data.edges[bin + 1] ?? 0)];
  const [start, size] = [Math.min(from, to), Math.abs(to - from)];
  const across = middle(plot, row) - thickness(plot) / 2;
  const width = Math.max(1, thickness(plot) - 1);
  return plot.direction === "rows"
    ? { x: start, y: across, width: size, height: width }
    : { x: across, y: start, width, height: size };
}

/** The strip and bin at a point; null outside of the plot. */
export function spotAt(data: DensityData, plot: Plot, x: number, y: number): Spot | null {
  const inside = x >= plot.x && x < plot.x + plot.width && y >= plot.y && y < plot.y + plot.height;
  if (!inside || data.rows.length === 0) return null;
  const [across, length] = plot.direction === "rows" ? [y - plot.y, x - plot.x] : [x - plot.x, y - plot.y];
  const place = Math.min(plot.strips - 1, Math.floor(across / thickness(plot)));
  const bins = data.edges.length - 1;
  const share = length / (plot.direction === "rows" ? plot.width : plot.height);
  const bin = Math.min(bins - 1, Math.floor((plot.direction === "rows" ? share : 1 - share) * bins));
  return { row: plot.direction === "rows" ? place : plot.strips - 1 - place, bin: Math.max(0, bin) };
}

/** The next bin with sequences in a direction, so that arrows do not walk through empty ones; else the same spot. */
export function nextSpot(data: DensityData, spot: Spot, rows: number, bins: number): Spot {
  if (rows !== 0) {
    const row = Math.min(data.rows.length - 1, Math.max(0, spot.row + rows));
    return { row, bin: nearest(data, row, spot.bin) };
  }
  const counts = data.counts[spot.row] ?? [];
  for (let bin = spot.bin + bins; bin >= 0 && bin < counts.length; bin += bins)
    if (counts[bin]) return { ...spot, bin };
  return spot;
}

/** The bin with sequences that is nearest to another one. */
export function nearest(data: DensityData, row: number, bin: number): number {
  const counts = data.counts[row] ?? [];
  let best = -1;
  counts.forEach((n, place) => {
    if (n > 0 && (best < 0 || Math.abs(place - bin) < Math.abs(best - bin))) best = place;
  });
  return best < 0 ? bin : best;
}

/** The largest count of a bin, among the bins that are wanted. */
export function mostIn(data: DensityData, wanted: (bin: number) => boolean = () => true): number {
  return data.counts.reduce((most, row) => Math.max(most, ...row.filter((_, bin) => wanted(bin))), 0);
}

/** How strong the colour of a count is, 0 to 1; on a log scale, since counts differ by powers of ten. */
export function strength(n: number, most: number): number {
  return n <= 0 || most <= 0 ? 0 : 0.3 + (0.7 * Math.log1p(n)) / Math.log1p(most);
}

/** The ends of a bin; null where it is open. */
export function rangeOf(data: DensityData, bin: number): [number | null, number | null] {
  const openLow = data.openLow && bin === 0;
  const openHigh = data.openHigh && bin === data.edges.length - 2;
  return [openLow ? null : (data.edges[bin] ?? null), openHigh ? null : (data.edges[bin + 1] ?? null)];
}

/** Which way the effects of a bin go; those beside 0 are about nothing. */
export function signOf(data: DensityData, bin: number): -1 | 0 | 1 {
  const [low, high] = [data.edges[bin] ?? 0, data.edges[bin + 1] ?? 0];
  if (low === 0 || high === 0) return 0;
  return low > 0 ? 1 : -1;
}

/** A place across its strip for a dot, between −0.5 and 0.5, always the same for the same sequence. */
export function scatter(sequence: number): number {
  const mixed = Math.imul(sequence + 1, 2654435761) >>> 0;
  return mixed / 2 ** 32 - 0.5;
}
