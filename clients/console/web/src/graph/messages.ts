/** What the page and the worker of the graphs say to each other. */

import type { EventColumns } from "./events";
import type { EdgeHit, EdgeRow, FigureRequest, FigureResult } from "./figure";
import type { Strokes } from "./strokes";

export type ToWorker =
  | { kind: "table"; columns: EventColumns }
  | { kind: "figure"; call: number; view: number; request: FigureRequest; paint: boolean }
  | { kind: "hit"; call: number; view: number; x: number; y: number }
  | { kind: "edges"; call: number; view: number; question: number; node: number }
  | { kind: "close"; view: number };

/** A figure with its picture, or with the lines where the page must draw them itself. */
export interface FigureAnswer {
  result: FigureResult;
  picture: ImageBitmap | null;
  strokes: Strokes | null;
}

export type FromWorker =
  | { kind: "figure"; call: number; answer: FigureAnswer | null }
  | { kind: "hit"; call: number; hit: EdgeHit | null }
  | { kind: "edges"; call: number; edges: EdgeRow[] }
  | { kind: "failed"; call: number; message: string };
