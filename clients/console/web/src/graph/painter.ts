/** Draws with WebGL2, or with Canvas 2D where WebGL2 is missing or has failed once. */

import { CANVAS_RENDERER, drawStrokes2d } from "./draw2d";
import { GlPainter } from "./drawGl";
import type { Strokes } from "./strokes";

export interface Painting {
  picture: ImageBitmap;
  renderer: string;
}

export class Painter {
  #gl: GlPainter | null | undefined;

  paint(strokes: Strokes, width: number, height: number, pixelRatio: number): Painting {
    return this.#paintGl(strokes, width, height, pixelRatio) ?? paint2d(strokes, width, height, pixelRatio);
  }

  /** Gives the memory of the graphics unit back. */
  #paintGl(strokes: Strokes, width: number, height: number, pixelRatio: number): Painting | null {
    if (this.#gl === null) return null;
    try {
      const canvas = (this.#canvas ??= new OffscreenCanvas(1, 1));
      const gl = (this.#gl ??= new GlPainter(canvas));
      gl.draw(strokes, width, height, pixelRatio);
      return { picture: canvas.transferToImageBitmap(), renderer: gl.name };
    } catch {
      this.#gl = null; // a context that was lost is often lost again: Canvas 2D from here on
      return null;
    }
  }

  #canvas: OffscreenCanvas | undefined;
}

function paint2d(strokes: Strokes, width: number, height: number, pixelRatio: number): Painting {
  const canvas = new OffscreenCanvas(Math.round(width * pixelRatio), Math.round(height * pixelRatio));
  const context = canvas.getContext("2d");
  if (!context) throw new Error("there is no Canvas 2D");
  drawStrokes2d(context, strokes, pixelRatio);
  return { picture: canvas.transferToImageBitmap(), renderer: CANVAS_RENDERER };
}

/** Whether pictures can be drawn away from the page. */
export const canPaint = (): boolean => typeof OffscreenCanvas !== "undefined";
