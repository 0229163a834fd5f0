/** The sizes of a pair's figure: a column of labels, one or two graphs, and the steps below. */

import type { EdgeStyle, Rect } from "./figure";
import { arcRoom } from "./geometry";

/** Below the axes. */
export const STEP_LABELS = 22;
/** Between two graphs. */
const GAP = 34;
const EDGE = 8;
/** Half the word below the last axis. */
export const RIGHT = 20;

export interface PairLayout {
  rects: Rect[];
  /** Of the columns of labels, from the left; the second is 0 if there is one attribute. */
  labels: [number, number];
}

/** Labels take less of a narrow page. */
export function labelWidths(width: number, attributes: number): [number, number] {
  const column = Math.max(52, Math.min(118, width * 0.14));
  return attributes > 1 ? [column, column] : [column, 0];
}

/** Enough for each level to have a few pixels, within what fits a screen. Selections do not change it. */
export function pairHeight(levels: number): number {
  return Math.max(300, Math.min(640, 120 + 9 * levels));
}

export function pairLayout(
  width: number,
  height: number,
  attributes: number,
  styles: readonly EdgeStyle[],
): PairLayout {
  const labels = labelWidths(width, attributes);
  const left = labels[0] + labels[1] + EDGE;
  const each = (width - left - GAP * (styles.length - 1) - RIGHT) / styles.length;
  const below = styles.includes("overlay") ? 2 : 1;
  const inner = height - STEP_LABELS - 2 * EDGE;
  const room = Math.min(arcRoom(inner), arcRoom(inner / (1 + below * 0.16)));
  const rects = styles.map((_, i) => ({
    x: left + i * (each + GAP),
    y: EDGE + room,
    width: Math.max(40, each),
    height: Math.max(60, inner - below * room),
  }));
  return { rects, labels };
}

/** Cuts a text that is wider than its column, at about 6 pixels a letter. */
export function fitted(text: string, width: number): string {
  const letters = Math.max(3, Math.floor(width / 6.2));
  return text.length > letters ? `${text.slice(0, letters - 1)}…` : text;
}
