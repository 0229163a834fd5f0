/** Where nodes stand and how edges run, in CSS pixels. */

import type { Both, EdgeStyle, Rect } from "./figure";

/** Where a plot's axes are: the steps it shows, in its rectangle. */
export interface Axes {
  rect: Rect;
  steps: readonly [number, number];
}

export interface Point {
  x: number;
  y: number;
}

/** The height of an arc above its ends, for the farthest steps, as a share of the plot's height and at most in pixels. */
const ARC_SHARE = 0.16;
const ARC_PIXELS = 70;
/** The height of the shortest arc, for neighbours. */
const SHORTEST_ARC_PIXELS = 5;
/** Length of the straight pieces that an arc is drawn with. */
const PIECE_PIXELS = 9;
/** How far the lines of the two classes are moved apart where they join the same nodes. */
const APART_PIXELS = 1.4;

export function stepX(axes: Axes, step: number): number {
  const [first, last] = axes.steps;
  const share = last > first ? (step - first) / (last - first) : 0.5;
  return axes.rect.x + share * axes.rect.width;
}

export const slotY = (rect: Rect, at: number): number => rect.y + at * rect.height;

/** The room that arcs need above the highest level. */
export const arcRoom = (height: number): number => Math.min(ARC_PIXELS, height * ARC_SHARE);

/** How high the arc between two steps rises: longer for farther steps. */
export function arcHeight(axes: Axes, steps: number): number {
  const span = Math.max(1, axes.steps[1] - axes.steps[0]);
  const most = arcRoom(axes.rect.height);
  return Math.min(most, SHORTEST_ARC_PIXELS + ((most - SHORTEST_ARC_PIXELS) * (steps - 1)) / span);
}

/** The height of the arc of an edge, upwards above 0; 0 for a straight line. */
export function edgeBend(
  axes: Axes,
  arcs: boolean,
  equalLevels: boolean,
  steps: number,
  side: -1 | 1,
): number {
  return arcs && equalLevels ? side * arcHeight(axes, steps) : 0;
}

/** In an overlay arcs of the negative class hang down; everywhere else arcs rise. */
export const arcSide = (style: EdgeStyle, class_: keyof Both<unknown>): -1 | 1 =>
  style === "overlay" && class_ === "negative" ? -1 : 1;

/** How far a line is moved aside where the other class has the same edge. */
export function sideShift(style: EdgeStyle, class_: keyof Both<unknown>): number {
  if (style !== "overlay") return 0;
  return class_ === "positive" ? -APART_PIXELS / 2 : APART_PIXELS / 2;
}

/** How many straight pieces an arc is drawn with. */
export function pieceCount(width: number, bend: number): number {
  return Math.max(6, Math.min(28, Math.ceil((width + Math.abs(bend)) / PIECE_PIXELS)));
}

/** The control points of a cubic Bézier curve whose highest point is `bend` above its ends. */
export function controlPoints(from: Point, to: Point, bend: number): [Point, Point] {
  const width = to.x - from.x;
  const lift = (4 / 3) * bend;
  return [
    { x: from.x + 0.22 * width, y: from.y - lift },
    { x: to.x - 0.22 * width, y: to.y - lift },
  ];
}

/** A point of the curve and its direction there, in radians. */
export function curvePoint(from: Point, to: Point, bend: number, share: number): Point & { angle: number } {
  if (!bend) return { ...along(from, to, share), angle: Math.atan2(to.y - from.y, to.x - from.x) };
  const [a, b] = controlPoints(from, to, bend);
  const [p, q, r] = [along(from, a, share), along(a, b, share), along(b, to, share)];
  const [s, t] = [along(p, q, share), along(q, r, share)];
  return { ...along(s, t, share), angle: Math.atan2(t.y - s.y, t.x - s.x) };
}

const along = (a: Point, b: Point, share: number): Point => ({
  x: a.x + (b.x - a.x) * share,
  y: a.y + (b.y - a.y) * share,
});

/** The same line as a path of SVG. */
export function edgePath(from: Point, to: Point, bend: number): string {
  const n = (value: number): string => value.toFixed(2);
  const start = `M${n(from.x)},${n(from.y)}`;
  if (!bend) return `${start}L${n(to.x)},${n(to.y)}`;
  const [a, b] = controlPoints(from, to, bend);
  return `${start}C${n(a.x)},${n(a.y)} ${n(b.x)},${n(b.y)} ${n(to.x)},${n(to.y)}`;
}
