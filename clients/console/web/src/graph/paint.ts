/** Puts a figure on the page's canvas: the picture of its edges, and its nodes over it. */

import type { FigureRequest, FigureResult, PlotRequest, Rgb } from "./figure";
import { drawStrokes2d } from "./draw2d";
import { nodeOpacity } from "./frequency";
import type { FigureAnswer } from "./messages";
import type { PlacedNode } from "./navigation";
import { cssColour } from "./palette";
import { nodeStrength } from "./placement";

/** Edges that are not of the node in question step back. */
const DIMMED = 0.3;

export interface FigureColours {
  ink: Rgb;
  paper: string;
}

export function paintFigure(
  canvas: HTMLCanvasElement,
  request: FigureRequest,
  answer: FigureAnswer,
  nodes: readonly PlacedNode[],
  colours: FigureColours,
  dimmed: boolean,
): void {
  const { width, height, pixelRatio } = request.size;
  canvas.width = Math.round(width * pixelRatio);
  canvas.height = Math.round(height * pixelRatio);
  const context = canvas.getContext("2d");
  if (!context) return;
  context.globalAlpha = dimmed ? DIMMED : 1;
  if (answer.picture) context.drawImage(answer.picture, 0, 0);
  else if (answer.strokes) drawStrokes2d(context, answer.strokes, pixelRatio);
  context.globalAlpha = 1;
  context.setTransform(pixelRatio, 0, 0, pixelRatio, 0, 0);
  for (const node of nodes) paintNode(context, request, answer.result, node, colours);
}

function paintNode(
  context: CanvasRenderingContext2D,
  request: FigureRequest,
  result: FigureResult,
  node: PlacedNode,
  { ink, paper }: FigureColours,
): void {
  const { style } = request.plots[node.plot] as PlotRequest;
  const strength = nodeStrength(request, result, node);
  const { positive, negative } = request.palette;
  const side = strength < 0 || style === "negative" ? negative : positive;
  context.beginPath();
  context.arc(node.x, node.y, node.radius, 0, 2 * Math.PI);
  context.fillStyle = paper;
  context.fill();
  context.fillStyle = cssColour(style === "overlay" ? ink : side, nodeOpacity(Math.abs(strength)));
  context.fill();
}

/** The largest side and area of a canvas that all browsers draw. */
const LARGEST_SIDE = 8192;
const LARGEST_AREA = 16_000_000;

/** The device's pixels for each CSS pixel, fewer where the picture would be too large. */
export function fittingRatio(width: number, height: number, ratio: number): number {
  const byArea = Math.sqrt(LARGEST_AREA / Math.max(1, width * height));
  return Math.min(ratio, LARGEST_SIDE / Math.max(1, width, height), byArea);
}
