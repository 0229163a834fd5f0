/** The lines of a figure as one buffer of straight pieces, rare edges first, that both renderers draw as it is. */

import type { Both, EdgeCounts, EdgeStyle, FigureRequest, PlotRequest, PlotResult, Rgb } from "./figure";
import { at, divisors, frequencies, largest, lineOpacity, shown } from "./frequency";
import * as geometry from "./geometry";
import { slotHeights } from "./slots";
import type { Slot } from "./figure";

/** Numbers of a piece: x0, y0, x1, y1, the directions at both ends, where its dashes begin (-1: solid), its colour. */
export const STRIDE = 8;
/** Width of lines in CSS pixels. */
export const LINE_WIDTH = 1.2;
/** Dashes and gaps of the negative class, in CSS pixels. */
export const DASH: readonly [number, number] = [6, 4];
/** Of more lines than this, dashes cannot be told apart. */
export const MOST_DASHED = 600;
/** Ranks of frequencies by which lines are sorted. */
const RANKS = 65_536;

export interface Strokes {
  /** STRIDE numbers a piece; the last is 0xAABBGGRR as the bits of an unsigned integer. */
  pieces: Float32Array;
  count: number;
  /** Of each piece: the line that it is part of, an index into `lines`. */
  line: Uint32Array;
  lines: Lines;
}

/** A line is an edge of a plot, for one class or for the difference of both. */
export interface Lines {
  count: number;
  plot: Uint16Array;
  edge: Uint32Array;
  positive: Uint8Array;
  /** Share of the largest frequency of its scale. */
  share: Float32Array;
}

export interface BuiltFigure {
  strokes: Strokes;
  plots: PlotResult[];
}

/** What a plot is drawn from. */
interface Plot {
  request: PlotRequest;
  axes: geometry.Axes;
  counts: EdgeCounts;
  by: Both<number>;
  heights: Float32Array;
  result: PlotResult;
}

export function buildStrokes(
  request: FigureRequest,
  counts: readonly EdgeCounts[],
  slots: readonly (readonly Slot[])[],
): BuiltFigure {
  const plots = request.plots.map((plot) => makePlot(request, plot, counts, slots));
  shareScales(plots);
  const lines = sorted(collect(plots));
  plots.forEach((plot, index) => countLines(plot, index, lines));
  return { strokes: makePieces(plots, lines, request), plots: plots.map((plot) => plot.result) };
}

function makePlot(
  request: FigureRequest,
  plot: PlotRequest,
  counts: readonly EdgeCounts[],
  slots: readonly (readonly Slot[])[],
): Plot {
  const found = counts[plot.question] as EdgeCounts;
  const by = divisors(found, request.measure);
  return {
    request: plot,
    axes: { rect: plot.rect, steps: request.questions[plot.question]?.steps ?? [0, 0] },
    counts: found,
    by,
    heights: slotHeights(slots[plot.question] ?? [], found),
    result: {
      maximum: largest(found.edges, by, plot.style),
      nodeMaximum: largest(found.nodes, by, plot.style),
      drawnEdges: 0,
      dashed: false,
    },
  };
}

function shareScales(plots: readonly Plot[]): void {
  for (const key of ["maximum", "nodeMaximum"] as const) {
    const scales = new Map<number, number>();
    for (const { request, result } of plots)
      scales.set(request.scale, Math.max(result[key], scales.get(request.scale) ?? 0));
    for (const { request, result } of plots) result[key] = scales.get(request.scale) ?? 0;
  }
}

const classesOf = (style: EdgeStyle): readonly (keyof Both<unknown>)[] => {
  if (style === "overlay") return ["negative", "positive"];
  return style === "negative" ? ["negative"] : ["positive"];
};

function collect(plots: readonly Plot[]): Lines {
  const most = plots.reduce(
    (sum, { request, counts }) => sum + counts.edges.from.length * classesOf(request.style).length,
    0,
  );
  const lines = emptyLines(most);
  plots.forEach((plot, index) => {
    for (let edge = 0; edge < plot.counts.edges.from.length; edge++) collectEdge(plot, index, edge, lines);
  });
  return lines;
}

function collectEdge(plot: Plot, index: number, edge: number, lines: Lines): void {
  const { edges } = plot.counts;
  const placed = (node: number | undefined): boolean => (plot.heights[node ?? 0] ?? -1) >= 0;
  if (!placed(edges.from[edge]) || !placed(edges.to[edge])) return;
  const each = frequencies(at(edges, edge), plot.by);
  for (const class_ of classesOf(plot.request.style)) {
    const value = plot.request.style === "difference" ? shown("difference", each) : each[class_];
    if (!value) continue;
    const i = lines.count++;
    lines.plot[i] = index;
    lines.edge[i] = edge;
    lines.positive[i] =
      plot.request.style === "difference" ? Number(value > 0) : Number(class_ === "positive");
    lines.share[i] = Math.abs(value) / (plot.result.maximum || 1);
  }
}

function emptyLines(length: number): Lines {
  return {
    count: 0,
    plot: new Uint16Array(length),
    edge: new Uint32Array(length),
    positive: new Uint8Array(length),
    share: new Float32Array(length),
  };
}

/** Sorts lines by their rank, the rarest first, in time that grows with their number only. */
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

function countLines(plot: Plot, index: number, lines: Lines): void {
  let negative = 0;
  const edges = new Uint8Array(plot.counts.edges.from.length);
  for (let i = 0; i < lines.count; i++) {
    if (lines.plot[i] !== index) continue;
    edges[lines.edge[i] as number] = 1;
    negative += 1 - (lines.positive[i] as number);
  }
  plot.result.drawnEdges = edges.reduce((sum, one) => sum + one, 0);
  plot.result.dashed = negative > 0 && negative <= MOST_DASHED;
}

/** A line as points; dashes continue from one piece to the next. */
interface Course {
  from: geometry.Point;
  to: geometry.Point;
  bend: number;
}

function makePieces(plots: readonly Plot[], lines: Lines, request: FigureRequest): Strokes {
  const courses = Array.from({ length: lines.count }, (_, i) => course(plots, lines, i));
  const count = courses.reduce((sum, each) => sum + geometry.pieceCount(each.from, each.to, each.bend), 0);
  const pieces = new Float32Array(count * STRIDE);
  const colours = new Uint32Array(pieces.buffer);
  const line = new Uint32Array(count);
  let piece = 0;
  courses.forEach((each, i) => {
    const positive = lines.positive[i] === 1;
    const dashed = !positive && (plots[lines.plot[i] as number] as Plot).result.dashed;
    const colour = packed(
      positive ? request.palette.positive : request.palette.negative,
      lines.share[i] as number,
    );
    const end = writePieces(pieces, piece, each, dashed);
    for (; piece < end; piece++) {
      colours[piece * STRIDE + 7] = colour;
      line[piece] = i;
    }
  });
  return { pieces, count, line, lines };
}

function course(plots: readonly Plot[], lines: Lines, i: number): Course {
  const { request, axes, counts, heights } = plots[lines.plot[i] as number] as Plot;
  const edge = lines.edge[i] as number;
  const class_ = lines.positive[i] ? "positive" : "negative";
  const node = (index: number): geometry.Point => ({
    x: geometry.stepX(axes, counts.nodes.step[index] as number),
    y: geometry.slotY(request.rect, heights[index] as number),
  });
  return edgeCourse(
    request,
    axes,
    node(counts.edges.from[edge] as number),
    node(counts.edges.to[edge] as number),
    (counts.nodes.step[counts.edges.to[edge] as number] as number) -
      (counts.nodes.step[counts.edges.from[edge] as number] as number),
    at(counts.edges, edge),
    class_,
  );
}

/** The course of an edge between two nodes, moved aside where the other class has the same edge. */
export function edgeCourse(
  plot: Pick<PlotRequest, "style" | "arcs">,
  axes: geometry.Axes,
  from: geometry.Point,
  to: geometry.Point,
  steps: number,
  counts: Both<number>,
  class_: keyof Both<unknown>,
): Course {
  const side = geometry.arcSide(plot.style, class_);
  const bend = geometry.edgeBend(axes, plot.arcs, from.y === to.y, steps, side);
  const shift = bend ? 0 : geometry.sideShift(plot.style, counts, class_);
  return { from: { x: from.x, y: from.y + shift }, to: { x: to.x, y: to.y + shift }, bend };
}

function writePieces(
  pieces: Float32Array,
  first: number,
  { from, to, bend }: Course,
  dashed: boolean,
): number {
  const count = geometry.pieceCount(from, to, bend);
  let length = 0;
  let start = geometry.curvePoint(from, to, bend, 0);
  for (let i = 1; i <= count; i++) {
    const end = geometry.curvePoint(from, to, bend, i / count);
    const dash = dashed ? length : -1;
    pieces.set([start.x, start.y, end.x, end.y, start.angle, end.angle, dash], (first + i - 1) * STRIDE);
    length += Math.hypot(end.x - start.x, end.y - start.y);
    start = end;
  }
  return first + count;
}

function packed([red, green, blue]: Rgb, share: number): number {
  const alpha = Math.round(lineOpacity(share) * 255);
  return ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

/** How near a pointer must be to a line, in CSS pixels. */
const NEAR_PIXELS = 3;

/** Finds the most frequent line near a point, which is the one drawn on top; -1 if there is none. */
export function lineAt(strokes: Strokes, x: number, y: number): number {
  const { pieces } = strokes;
  for (let piece = strokes.count - 1; piece >= 0; piece--) {
    const o = piece * STRIDE;
    const x0 = pieces[o] as number;
    const x1 = pieces[o + 2] as number;
    if (x < x0 - NEAR_PIXELS || x > x1 + NEAR_PIXELS) continue;
    const y0 = pieces[o + 1] as number;
    const y1 = pieces[o + 3] as number;
    if (distance(x, y, x0, y0, x1, y1) <= NEAR_PIXELS) return strokes.line[piece] as number;
  }
  return -1;
}

function distance(x: number, y: number, x0: number, y0: number, x1: number, y1: number): number {
  const [dx, dy] = [x1 - x0, y1 - y0];
  const share = Math.max(0, Math.min(1, ((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy || 1)));
  return Math.hypot(x - x0 - share * dx, y - y0 - share * dy);
}
