/** Regions of a pair's graph that a reader has marked and named; the address keeps them, by words and times. */

import type { EventTable } from "../grid/eventTable";
import type { Slot } from "./figure";
import { slotY, stepX, type Axes } from "./geometry";

/** A corner of a region: a time before the latest event, such as −3, and the levels as the table names them. */
export interface Corner {
  time: number;
  levels: string[];
}

export interface Annotation {
  /** The names of primary and secondary attribute. */
  view: string[];
  from: Corner;
  to: Corner;
  name: string;
}

export const MOST_ANNOTATIONS = 20;
export const LONGEST_NAME = 60;

/** Reads what an address says; what is no annotation is left out. */
export function readAnnotations(found: readonly unknown[]): Annotation[] {
  return found.filter(isAnnotation).slice(0, MOST_ANNOTATIONS);
}

function isAnnotation(found: unknown): found is Annotation {
  if (!isRecord(found)) return false;
  const { view, from, to, name } = found;
  return (
    areTexts(view) &&
    isCorner(from) &&
    isCorner(to) &&
    typeof name === "string" &&
    name.length <= LONGEST_NAME
  );
}

const isCorner = (found: unknown): boolean =>
  isRecord(found) && Number.isInteger(found["time"]) && areTexts(found["levels"]);

const areTexts = (found: unknown): boolean =>
  Array.isArray(found) &&
  found.length > 0 &&
  found.length < 3 &&
  found.every((each) => typeof each === "string");

const isRecord = (found: unknown): found is Record<string, unknown> =>
  typeof found === "object" && found !== null;

export const isOfView = (annotation: Annotation, view: readonly string[]): boolean =>
  annotation.view.join("\n") === view.join("\n");

/** A place on the axes: a step, and an index into the slots. */
export interface Place {
  step: number;
  slot: number;
}

/** The words of a slot, such as ["0 – 10", "new"]. */
export const slotTexts = (table: EventTable, attributes: readonly number[], slot: Slot): string[] =>
  attributes.map((attribute, i) => table.header.attributes[attribute]?.levels[slot.levels[i] ?? 0] ?? "?");

export function cornerOf(
  table: EventTable,
  attributes: readonly number[],
  slots: readonly Slot[],
  { step, slot }: Place,
): Corner {
  const found = slots[slot];
  return {
    time: step - (table.header.steps - 1),
    levels: found ? slotTexts(table, attributes, found) : [],
  };
}

/** Finds where a corner stands now; null where its step or its levels are not shown. */
export function placeOf(
  table: EventTable,
  attributes: readonly number[],
  slots: readonly Slot[],
  steps: readonly [number, number],
  corner: Corner,
): Place | null {
  const step = corner.time + table.header.steps - 1;
  const text = corner.levels.join("\n");
  const slot = slots.findIndex((each) => slotTexts(table, attributes, each).join("\n") === text);
  return slot < 0 || step < steps[0] || step > steps[1] ? null : { step, slot };
}

export interface Region {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** The rectangle around two places, whatever their order, with half the distance to the neighbours around it. */
export function regionOf(axes: Axes, slots: readonly Slot[], a: Place, b: Place): Region {
  const span = Math.max(1, axes.steps[1] - axes.steps[0]);
  const halfStep = Math.min(16, axes.rect.width / span / 2);
  const gaps = slots.slice(1).map((slot, i) => slot.at - (slots[i]?.at ?? 0));
  const halfSlot = Math.min(14, (Math.min(...gaps, 1) * axes.rect.height) / 2);
  const [left, right] = [a, b].map((each) => stepX(axes, each.step)).sort((p, q) => p - q);
  const [top, bottom] = [a, b]
    .map((each) => slotY(axes.rect, slots[each.slot]?.at ?? 0))
    .sort((p, q) => p - q);
  return {
    x: (left ?? 0) - halfStep,
    y: (top ?? 0) - halfSlot,
    width: (right ?? 0) - (left ?? 0) + 2 * halfStep,
    height: (bottom ?? 0) - (top ?? 0) + 2 * halfSlot,
  };
}

/** The step and the slot nearest to a point. */
export function placeAt(axes: Axes, slots: readonly Slot[], x: number, y: number): Place {
  const [first, last] = axes.steps;
  const share = axes.rect.width ? (x - axes.rect.x) / axes.rect.width : 0;
  const step = Math.round(first + share * (last - first));
  const distance = (slot: Slot | undefined): number => Math.abs(slotY(axes.rect, slot?.at ?? 0) - y);
  const slot = slots.reduce((best, each, i) => (distance(each) < distance(slots[best]) ? i : best), 0);
  return { step: Math.max(first, Math.min(last, step)), slot };
}
