/** Which lines a figure has, each with its share of the largest frequency, the rarest first. */

import type { Both, EdgeCounts, EdgeStyle, FigureRequest, PlotRequest, PlotResult, Slot } from "./figure";
import { divisors, largest, shownAll, strongestOpacity } from "./frequency";
import { slotY, stepX, type Axes } from "./geometry";
import { slotHeights } from "./slots";

/** Of more lines than this, dashes of the negative class cannot be told apart. */
export const MOST_DASHED = 600;
/** Width of lines in CSS pixels. */
export const LINE_WIDTH = 1.2;
/** Ranks of frequencies by which lines are sorted. */
const RANKS = 65_536;

/** A line is an edge of a plot, for one class or for the difference of both. */
export interface Lines {
  count: number;
  plot: Uint16Array;
  edge: Uint32Array;
  positive: Uint8Array;
  /** Share of the largest frequency of its scale. */
  share: Float32Array;
}

/** What a plot is drawn from. */
export interface Plot {
  request: PlotRequest;
  axes: Axes;
  counts: EdgeCounts;
  by: Both<number>;
  /** Of each node; y is NaN where a node has no place. */
  x: Float32Array;
  y: Float32Array;
  result: PlotResult;
}

export function makePlots(
  request: FigureRequest,
  counts: readonly EdgeCounts[],
  slots: readonly (readonly Slot[])[],
): Plot[] {
  const plots = request.plots.map((plot) => makePlot(request, plot, counts, slots));
  shareScales(plots);
  return plots;
}

function makePlot(
  request: FigureRequest,
  plot: PlotRequest,
  counts: readonly EdgeCounts[],
  slots: readonly (readonly Slot[])[],
): Plot {
  const found = counts[plot.question] as EdgeCounts;
  const by = divisors(found, request.measure);
  const axes = { rect: plot.rect, steps: request.questions[plot.question]?.steps ?? ([0, 0] as const) };
  const heights = slotHeights(slots[plot.question] ?? [], found);
  return {
    request: plot,
    axes,
    counts: found,
    by,
    x: Float32Array.from(found.nodes.step, (step) => stepX(axes, step)),
    y: heights.map((height) => (height < 0 ? NaN : slotY(plot.rect, height))),
    result: {
      maximum: largest(found.edges, by, plot.style),
      nodeMaximum: largest(found.nodes, by, plot.style),
      drawnLines: 0,
      opacity: 0,
      dashed: false,
    },
  };
}

function shareScales(plots: readonly Plot[]): void {
  for (const key of ["maximum", "nodeMaximum"] as const) shareScale(plots, key, Math.max);
}

/** Plots of the same scale have the same value: the largest, or the smallest. */
function shareScale(
  plots: readonly Plot[],
  key: "maximum" | "nodeMaximum" | "opacity",
  pick: (a: number, b: number) => number,
): void {
  const scales = new Map<number, number>();
  for (const { request, result } of plots)
    scales.set(request.scale, pick(result[key], scales.get(request.scale) ?? result[key]));
  for (const { request, result } of plots) result[key] = scales.get(request.scale) ?? 0;
}

/** An overlay has a line for each class, the other styles have one an edge. */
const stylesOf = (style: EdgeStyle): readonly EdgeStyle[] =>
  style === "overlay" ? ["negative", "positive"] : [style];

/** Only such a graph needs dashes to tell the classes apart. */
const mixesClasses = (style: EdgeStyle): boolean => style === "overlay" || style === "difference";

export function makeLines(plots: readonly Plot[]): Lines {
  const most = plots.reduce(
    (sum, { request, counts }) => sum + counts.edges.from.length * stylesOf(request.style).length,
    0,
  );
  const lines = emptyLines(most);
  plots.forEach((plot, index) => {
    let negative = 0;
    const first = lines.count;
    for (const style of stylesOf(plot.request.style)) negative += addLines(plot, index, style, lines);
    plot.result.drawnLines = lines.count - first;
    plot.result.dashed = mixesClasses(plot.request.style) && negative > 0 && negative <= MOST_DASHED;
    plot.result.opacity = strongestOpacity(ink(plot, lines, first));
  });
  shareScale(plots, "opacity", Math.min);
  return sorted(lines);
}

/** How often the lines of a plot would cover it, each with its share of the largest frequency. */
function ink({ request, counts, x, y }: Plot, lines: Lines, first: number): number {
  const { from, to } = counts.edges;
  let area = 0;
  for (let i = first; i < lines.count; i++) {
    const [a, b] = [from[lines.edge[i] as number] as number, to[lines.edge[i] as number] as number];
    const length = Math.hypot((x[b] as number) - (x[a] as number), (y[b] as number) - (y[a] as number));
    area += length * (lines.share[i] as number) * LINE_WIDTH;
  }
  return area / Math.max(1, request.rect.width * request.rect.height);
}

/** Returns how many lines of the negative class were added. */
function addLines(plot: Plot, index: number, style: EdgeStyle, lines: Lines): number {
  const { from, to } = plot.counts.edges;
  const values = shownAll(plot.counts.edges, plot.by, style);
  const most = plot.result.maximum || 1;
  let negative = 0;
  for (let edge = 0; edge < values.length; edge++) {
    const value = values[edge] as number;
    if (!value || !isPlaced(plot, from[edge] as number, to[edge] as number)) continue;
    const positive = style !== "negative" && value > 0;
    if (!positive) negative++;
    const i = lines.count++;
    lines.plot[i] = index;
    lines.edge[i] = edge;
    lines.positive[i] = Number(positive);
    lines.share[i] = Math.abs(value) / most;
  }
  return negative;
}

const isPlaced = ({ y }: Plot, from: number, to: number): boolean =>
  (y[from] as number) === y[from] && (y[to] as number) === y[to];

function emptyLines(length: number): Lines {
  return {
    count: 0,
    plot: new Uint16Array(length),
    edge: new Uint32Array(length),
    positive: new Uint8Array(length),
    share: new Float32Array(length),
  };
}

/** Sorts lines by their rank, in time that grows with their number only. */
function sorted(lines: Lines): Lines {
  const rank = (i: number): number =>
    Math.min(RANKS - 1, Math.floor((lines.share[i] as number) * (RANKS - 1)));
  const next = new Uint32Array(RANKS + 1);
  for (let i = 0; i < lines.count; i++) next[rank(i) + 1] = (next[rank(i) + 1] as number) + 1;
  for (let r = 0; r < RANKS; r++) next[r + 1] = (next[r + 1] as number) + (next[r] as number);
  const found = emptyLines(lines.count);
  found.count = lines.count;
  for (let i = 0; i < lines.count; i++) {
    const place = next[rank(i)] as number;
    next[rank(i)] = place + 1;
    found.plot[place] = lines.plot[i] as number;
    found.edge[place] = lines.edge[i] as number;
    found.positive[place] = lines.positive[i] as number;
    found.share[place] = lines.share[i] as number;
  }
  return found;
}
