/** The lines of a figure as one buffer of straight pieces, rare edges first, that both renderers draw as it is. */

import type { Both, EdgeCounts, FigureRequest, PlotRequest, PlotResult, Rgb, Slot } from "./figure";
import { lineOpacity } from "./frequency";
import * as geometry from "./geometry";
import { makeLines, makePlots, type Lines, type Plot } from "./lines";

/** Numbers of a piece: x0, y0, x1, y1, the directions at both ends, where its dashes begin (-1: solid), its colour. */
export const STRIDE = 8;
/** Dashes and gaps of the negative class, in CSS pixels. */
export const DASH: readonly [number, number] = [6, 4];

export interface Strokes {
  /** STRIDE numbers a piece; the last is 0xAABBGGRR as the bits of an unsigned integer. */
  pieces: Float32Array;
  count: number;
  /** Of each piece: the line that it is part of, an index into `lines`. */
  line: Uint32Array;
  lines: Lines;
}

export interface BuiltFigure {
  strokes: Strokes;
  plots: PlotResult[];
}

export function buildStrokes(
  request: FigureRequest,
  counts: readonly EdgeCounts[],
  slots: readonly (readonly Slot[])[],
): BuiltFigure {
  const plots = makePlots(request, counts, slots);
  const lines = makeLines(plots);
  return { strokes: makePieces(plots, lines, request), plots: plots.map((plot) => plot.result) };
}

/** Numbers of a course: x0, y0, x1, y1, and how high it bends. */
const COURSE = 5;

/** Courses are numbers in one array, since there may be half a million of them. */
function makePieces(plots: readonly Plot[], lines: Lines, request: FigureRequest): Strokes {
  const courses = new Float32Array(lines.count * COURSE);
  const counts = new Uint8Array(lines.count);
  let count = 0;
  for (let i = 0; i < lines.count; i++) {
    const plot = plots[lines.plot[i] as number] as Plot;
    writeCourse(courses, i, plot, lines.edge[i] as number, lines.positive[i] ? "positive" : "negative");
    count += counts[i] = pieceCountOf(courses, i);
  }
  const writer = new PieceWriter(count);
  for (let i = 0; i < lines.count; i++) {
    const positive = lines.positive[i] === 1;
    const { dashed, opacity } = (plots[lines.plot[i] as number] as Plot).result;
    const colour = positive ? request.palette.positive : request.palette.negative;
    const alpha = lineOpacity(lines.share[i] as number, opacity);
    writer.write(courses, i, counts[i] as number, dashed && !positive, packed(colour, alpha));
  }
  return { pieces: writer.pieces, count, line: writer.line, lines };
}

function writeCourse(
  courses: Float32Array,
  i: number,
  plot: Plot,
  edge: number,
  class_: keyof Both<unknown>,
): void {
  const { edges, nodes } = plot.counts;
  const from = edges.from[edge] as number;
  const to = edges.to[edge] as number;
  const o = i * COURSE;
  const [y0, y1] = [plot.y[from] as number, plot.y[to] as number];
  const steps = (nodes.step[to] as number) - (nodes.step[from] as number);
  const side = geometry.arcSide(plot.request.style, class_);
  const bend = geometry.edgeBend(plot.axes, plot.request.arcs, y0 === y1, steps, side);
  const both = edges.positive[edge] !== 0 && edges.negative[edge] !== 0;
  const shift = bend || !both ? 0 : geometry.sideShift(plot.request.style, class_);
  courses[o] = plot.x[from] as number;
  courses[o + 1] = y0 + shift;
  courses[o + 2] = plot.x[to] as number;
  courses[o + 3] = y1 + shift;
  courses[o + 4] = bend;
}

function pieceCountOf(courses: Float32Array, i: number): number {
  const o = i * COURSE;
  const bend = courses[o + 4] as number;
  return bend ? geometry.pieceCount((courses[o + 2] as number) - (courses[o] as number), bend) : 1;
}

/** A line as points. */
export interface Course {
  from: geometry.Point;
  to: geometry.Point;
  bend: number;
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
  const both = counts.positive > 0 && counts.negative > 0;
  const shift = bend || !both ? 0 : geometry.sideShift(plot.style, class_);
  return { from: { x: from.x, y: from.y + shift }, to: { x: to.x, y: to.y + shift }, bend };
}

class PieceWriter {
  readonly pieces: Float32Array;
  readonly line: Uint32Array;
  readonly #colours: Uint32Array;
  #piece = 0;

  constructor(count: number) {
    this.pieces = new Float32Array(count * STRIDE);
    this.#colours = new Uint32Array(this.pieces.buffer);
    this.line = new Uint32Array(count);
  }

  /** Dashes continue from one piece of a line to the next. */
  write(courses: Float32Array, i: number, count: number, dashed: boolean, colour: number): void {
    const o = i * COURSE;
    const [x0, y0] = [courses[o] as number, courses[o + 1] as number];
    const [x1, y1] = [courses[o + 2] as number, courses[o + 3] as number];
    if (count === 1) {
      const angle = Math.atan2(y1 - y0, x1 - x0);
      return this.#add(i, colour, x0, y0, x1, y1, angle, angle, dashed ? 0 : -1);
    }
    this.#curve(
      i,
      colour,
      { from: { x: x0, y: y0 }, to: { x: x1, y: y1 }, bend: courses[o + 4] as number },
      count,
      dashed,
    );
  }

  #curve(i: number, colour: number, { from, to, bend }: Course, count: number, dashed: boolean): void {
    let length = 0;
    let start = geometry.curvePoint(from, to, bend, 0);
    for (let k = 1; k <= count; k++) {
      const end = geometry.curvePoint(from, to, bend, k / count);
      const dash = dashed ? length : -1;
      this.#add(i, colour, start.x, start.y, end.x, end.y, start.angle, end.angle, dash);
      length += Math.hypot(end.x - start.x, end.y - start.y);
      start = end;
    }
  }

  #add(
    i: number,
    colour: number,
    x0: number,
    y0: number,
    x1: number,
    y1: number,
    angle0: number,
    angle1: number,
    dash: number,
  ): void {
    const o = this.#piece * STRIDE;
    const { pieces } = this;
    pieces[o] = x0;
    pieces[o + 1] = y0;
    pieces[o + 2] = x1;
    pieces[o + 3] = y1;
    pieces[o + 4] = angle0;
    pieces[o + 5] = angle1;
    pieces[o + 6] = dash;
    this.#colours[o + 7] = colour;
    this.line[this.#piece++] = i;
  }
}

function packed([red, green, blue]: Rgb, opacity: number): number {
  const alpha = Math.round(opacity * 255);
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
