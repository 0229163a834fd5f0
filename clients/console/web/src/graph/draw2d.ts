/** Draws lines with Canvas 2D: slower than WebGL, and there wherever a page is. */

import { LINE_WIDTH } from "./lines";
import { DASH, STRIDE, type Strokes } from "./strokes";

export type Context2d = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;

export const CANVAS_RENDERER = "Canvas 2D";

export function drawStrokes2d(context: Context2d, strokes: Strokes, pixelRatio: number): void {
  const { pieces } = strokes;
  const colours = new Uint32Array(pieces.buffer, pieces.byteOffset, pieces.length);
  context.setTransform(pixelRatio, 0, 0, pixelRatio, 0, 0);
  context.lineWidth = LINE_WIDTH;
  context.lineCap = "butt";
  context.lineJoin = "round";
  let colour = -1;
  let dashed = false;
  for (let piece = 0; piece < strokes.count;) {
    const o = piece * STRIDE;
    const next = colours[o + 7] as number;
    if (next !== colour) context.strokeStyle = css((colour = next));
    if ((pieces[o + 6] as number) >= 0 !== dashed) {
      dashed = !dashed;
      context.setLineDash(dashed ? DASH : []);
    }
    piece = strokeLine(context, strokes, piece);
  }
  context.setLineDash([]);
}

/** Strokes all pieces of a line at once, so that they do not overlap where they meet. */
function strokeLine(context: Context2d, { pieces, line, count }: Strokes, first: number): number {
  context.beginPath();
  context.moveTo(pieces[first * STRIDE] as number, pieces[first * STRIDE + 1] as number);
  let piece = first;
  for (; piece < count && line[piece] === line[first]; piece++)
    context.lineTo(pieces[piece * STRIDE + 2] as number, pieces[piece * STRIDE + 3] as number);
  context.stroke();
  return piece;
}

function css(packed: number): string {
  const [red, green, blue, alpha] = [packed & 255, (packed >> 8) & 255, (packed >> 16) & 255, packed >>> 24];
  return `rgba(${red},${green},${blue},${alpha / 255})`;
}
