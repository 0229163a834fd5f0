/** Graphs in columns of checkpoints and rows of weights, with labels of the levels at the left. */

import type { Rect } from "../graph/figure";
import { arcRoom } from "../graph/geometry";
import { labelWidths, RIGHT, STEP_LABELS } from "../graph/pairLayout";

export interface ProgressLayout {
  labels: [number, number];
  /** The place of the whole graph with title, row by row. */
  panels: { row: number; column: number; rect: Rect; title: { x: number; y: number } }[];
  height: number;
}

const GAP = 30;
const EDGE = 8;
/** Between two rows. */
const BELOW = 14;
/** Above each graph: its title and its numbers. */
const TITLE = 36;

/** Arcs hang below the last level only in an overlay: `hanging`. */
export function progressLayout(
  width: number,
  columns: number,
  rows: number,
  attributes: number,
  rowHeight: number,
  hanging: boolean,
): ProgressLayout {
  const labels = labelWidths(width, attributes);
  const left = labels[0] + labels[1] + EDGE;
  const each = Math.max(40, (width - left - GAP * (columns - 1) - RIGHT) / columns);
  const room = Math.ceil(arcRoom(rowHeight));
  const step = TITLE + (hanging ? 2 : 1) * room + rowHeight + STEP_LABELS + BELOW;
  const panels = Array.from({ length: rows * columns }, (_, i) => {
    const [row, column] = [Math.floor(i / columns), i % columns];
    const x = left + column * (each + GAP);
    const top = row * step;
    const rect = { x, y: top + TITLE + room, width: each, height: rowHeight };
    return { row, column, rect, title: { x, y: top + 14 } };
  });
  return { labels, panels, height: rows * step };
}
