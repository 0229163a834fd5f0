/** The two graphs of each row of the grid. */

import type { RowGeometry } from "../grid/selection";
import type { Rect, Slot } from "./figure";
import { RIGHT, STEP_LABELS } from "./pairLayout";

export interface SinglesRow {
  attribute: number;
  left: Rect;
  right: Rect;
  /** The width of the labels at the left. */
  labels: number;
  slots: Slot[];
}

const GAP = 22;

export const singlesHeight = (rows: readonly RowGeometry[]): number =>
  Math.ceil(Math.max(0, ...rows.map((row) => row.top + row.height))) + STEP_LABELS;

/** Nodes stand level with the cells of the grid. */
export function singlesLayout(rows: readonly RowGeometry[], width: number): SinglesRow[] {
  const labels = Math.max(36, Math.min(84, width * 0.18));
  const each = Math.max(20, (width - labels - GAP - RIGHT) / 2);
  return rows.map((row) => {
    const rect = { x: labels, y: row.top, width: each, height: row.height };
    return {
      attribute: row.attribute,
      left: rect,
      right: { ...rect, x: labels + each + GAP },
      labels: labels - 6,
      slots: row.levels.map(({ level, centre }) => ({
        levels: [level],
        at: (centre - row.top) / Math.max(1, row.height),
      })),
    };
  });
}
