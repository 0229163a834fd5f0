/** Where the nodes of a figure stand on the page, and what is drawn of them. */

import type { Both, EdgeRow, EdgeStyle, FigureRequest, FigureResult, PlotRequest } from "./figure";
import { at, divisors, frequencies, shown } from "./frequency";
import { edgePath, slotY, stepX, type Axes } from "./geometry";
import type { PlacedNode } from "./navigation";
import { slotHeights } from "./slots";
import { edgeCourse } from "./strokes";

const LARGEST_RADIUS = 4;
const SMALLEST_RADIUS = 1.4;

const ONE: Both<number> = { positive: 1, negative: 1 };

function frequencyOf(style: EdgeStyle, counts: Both<number>, by: Both<number>): number {
  const { positive, negative } = frequencies(counts, by);
  return shown(style, positive, negative);
}

export const axesOf = (request: FigureRequest, plot: PlotRequest): Axes => ({
  rect: plot.rect,
  steps: request.questions[plot.question]?.steps ?? [0, 0],
});

/** Nodes that a plot shows; a plot of one class has only those of that class. */
export function placeNodes(request: FigureRequest, result: FigureResult): PlacedNode[] {
  return request.plots.flatMap((plot, index) => {
    const counts = result.counts[plot.question];
    if (!counts) return [];
    const slots = result.slots[plot.question] ?? [];
    const heights = slotHeights(slots, counts);
    const axes = axesOf(request, plot);
    const radius = nodeRadius(slots.map((slot) => slot.at * plot.rect.height));
    return Array.from(heights, (height, node): PlacedNode => {
      const x = stepX(axes, counts.nodes.step[node] ?? 0);
      return { plot: index, node, x, y: slotY(plot.rect, height), radius };
    }).filter(
      ({ node }) =>
        (heights[node] ?? -1) >= 0 &&
        frequencyOf(plot.style === "difference" ? "overlay" : plot.style, at(counts.nodes, node), ONE) > 0,
    );
  });
}

function nodeRadius(heights: readonly number[]): number {
  const gaps = heights.slice(1).map((height, i) => height - (heights[i] ?? 0));
  return Math.max(SMALLEST_RADIUS, Math.min(LARGEST_RADIUS, 0.42 * Math.min(LARGEST_RADIUS / 0.42, ...gaps)));
}

/** How much of a node's colour is shown, from 0 to 1, and which class has more; its sign is of the difference. */
export function nodeStrength(
  request: FigureRequest,
  result: FigureResult,
  { plot, node }: PlacedNode,
): number {
  const { question, style } = request.plots[plot] as PlotRequest;
  const counts = result.counts[question];
  const maximum = result.plots[plot]?.nodeMaximum;
  if (!counts || !maximum) return 0;
  return frequencyOf(style, at(counts.nodes, node), divisors(counts, request.measure)) / maximum;
}

/** The lines of an edge in a plot: one for each class in an overlay, otherwise one. */
export interface EdgeLine {
  path: string;
  side: keyof Both<unknown>;
}

export function edgeLines(
  request: FigureRequest,
  result: FigureResult,
  placed: readonly PlacedNode[],
  plot: number,
  row: EdgeRow,
): EdgeLine[] {
  const wanted = request.plots[plot] as PlotRequest;
  const counts = result.counts[wanted.question];
  const end = (node: number): PlacedNode | undefined =>
    placed.find((each) => each.plot === plot && each.node === node);
  const [from, to] = [end(row.from), end(row.to)];
  if (!counts || !from || !to) return [];
  const steps = (counts.nodes.step[row.to] ?? 0) - (counts.nodes.step[row.from] ?? 0);
  return sidesOf(request, result, wanted, row).map((side) => {
    const course = edgeCourse(wanted, axesOf(request, wanted), from, to, steps, row, side);
    return { path: edgePath(course.from, course.to, course.bend), side };
  });
}

function sidesOf(
  request: FigureRequest,
  result: FigureResult,
  { style, question }: PlotRequest,
  row: EdgeRow,
): (keyof Both<unknown>)[] {
  const counts = result.counts[question];
  if (style === "difference" && counts)
    return [frequencyOf(style, row, divisors(counts, request.measure)) < 0 ? "negative" : "positive"];
  return (["negative", "positive"] as const).filter(
    (side) => row[side] > 0 && (style === "overlay" || style === side),
  );
}
