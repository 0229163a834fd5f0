/** Where the squares, the labels and the groups of a map of single facts stand. */

import type { Effect } from "../effects";
import { eventWords } from "../../format/words";
import type { Phrases } from "../phrases";
import type { CellMap } from "./cellMap";
import { shortened, textWidth } from "./axis";

export interface Square {
  key: string;
  effect: Effect;
  x: number;
  y: number;
  width: number;
  height: number;
  group: boolean;
  /** Groups have their name inside. */
  name: string;
  numberX: number;
  anchor: "middle" | "end";
}

export interface MapGeometry {
  width: number;
  height: number;
  left: number;
  top: number;
  rows: { y: number; text: string; full: string; quiet: boolean }[];
  columns: { x: number; text: string }[];
  squares: Square[];
  /** Places of facts that have no number of their own. */
  empty: { key: string; x: number; y: number; width: number; height: number }[];
}

const SQUARE_HEIGHT = 38;
const GAP = 3;
const NARROWEST = 74; // "−0.005" and "± 0.007" below it, and the label "12 before"
const WIDEST = 150;
const TOP = 26;
const GROUP_GAP = 12;

export function mapGeometry(map: CellMap, phrases: Phrases, place: number): MapGeometry {
  const labels = map.rows.map(({ feature }) => (feature === null ? "other facts" : phrases.feature(feature)));
  const left = Math.min(Math.max(60, ...labels.map((each) => textWidth(each) + 12)), place * 0.36);
  const count = Math.max(map.columns.length, 1);
  const pitch = Math.min(Math.max((place - left) / count, NARROWEST), WIDEST);
  const rowY = (row: number): number => TOP + row * (SQUARE_HEIGHT + GAP);
  const width = Math.max(left + count * pitch, Math.min(place, 340));
  const squares = map.cells.map((cell) => ({
    key: cell.key,
    effect: cell.effect,
    x: left + cell.column * pitch,
    y: rowY(cell.row),
    width: pitch - GAP,
    height: SQUARE_HEIGHT,
    group: map.rows[cell.row]?.feature === null || map.columns[cell.column]?.t === null,
    name: "",
    numberX: left + cell.column * pitch + (pitch - GAP) / 2,
    anchor: "middle" as const,
  }));
  const groupsTop = rowY(map.rows.length) + (map.rows.length ? GROUP_GAP : -TOP);
  const groups = map.groups.map((effect, index) =>
    groupSquare(effect, phrases, groupsTop + index * (SQUARE_HEIGHT + GAP), width),
  );
  return {
    width,
    height: groupsTop + map.groups.length * (SQUARE_HEIGHT + GAP),
    left,
    top: TOP,
    rows: labels.map((full, row) => ({
      y: rowY(row) + SQUARE_HEIGHT / 2,
      text: shortened(full, left - 10),
      full,
      quiet: map.rows[row]?.feature === null,
    })),
    columns: map.columns.map(({ t }, column) => ({
      x: left + column * pitch + (pitch - GAP) / 2,
      text: columnText(t),
    })),
    squares: [...squares, ...groups],
    empty: emptySquares(map, squares, left, pitch, rowY),
  };
}

function groupSquare(effect: Effect, phrases: Phrases, y: number, width: number): Square {
  return {
    key: effect.key,
    effect,
    x: 0,
    y,
    width: width - GAP,
    height: SQUARE_HEIGHT,
    group: true,
    name: shortened(phrases.player(effect), width - 110),
    numberX: width - GAP - 10,
    anchor: "end",
  };
}

function emptySquares(
  map: CellMap,
  squares: readonly Square[],
  left: number,
  pitch: number,
  rowY: (row: number) => number,
): MapGeometry["empty"] {
  const taken = new Set(squares.map((each) => `${each.x}:${each.y}`));
  const all = map.rows.flatMap((_, row) =>
    map.columns.map((__, column) => ({
      key: `${row}:${column}`,
      x: left + column * pitch,
      y: rowY(row),
      width: pitch - GAP,
      height: SQUARE_HEIGHT,
    })),
  );
  return all.filter((each) => !taken.has(`${each.x}:${each.y}`));
}

function columnText(t: number | null): string {
  if (t === null) return "other events";
  return t === 0 ? "latest" : eventWords(t).replace(" the latest", "");
}
