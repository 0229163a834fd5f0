/** Adds up the weights of events by pair of levels, step and class, for any range of weights, exactly. */

import type { CellLayout } from "./cells";
import { cellLayout } from "./cells";
import type { EventTable } from "./eventTable";
import { NO_LEVEL } from "./eventTable";
import type { SortedEvents } from "./events";
import { placesOf, sortEvents } from "./events";

/** More checkpoints than this shorten no jump that a person would notice. */
const MAXIMUM_CHECKPOINTS = 32;
/** Of all checkpoints together, 64 MB. */
const MAXIMUM_CHECKPOINT_SUMS = 8_000_000;
/** One pass over all sums costs about as much as this many additions to single sums. */
const SUMS_PER_UPDATE = 4;

/** All that a counter needs; plain arrays, so that a worker can make it. */
export interface CountingData {
  layout: CellLayout;
  events: SortedEvents;
  /** Sums over the first k · `checkpointEvents` events, k from 0. */
  checkpoints: Float64Array[];
  checkpointEvents: number;
}

/** Sorts the events and adds them all up once, with checkpoints on the way. */
export function countingData(
  table: EventTable,
  levels: readonly (readonly number[])[],
  attributes: readonly number[],
): CountingData {
  const layout = cellLayout(levels, attributes, table.header.steps);
  const events = sortEvents(table, layout);
  const size = layout.cells * layout.steps * 2;
  const parts = Math.min(MAXIMUM_CHECKPOINTS, Math.floor(MAXIMUM_CHECKPOINT_SUMS / Math.max(1, size)));
  const checkpointEvents = Math.max(1, Math.ceil(table.header.events / Math.max(1, parts)));
  const checkpoints = [new Float64Array(size)];
  const sums = new Float64Array(size);
  for (let end = checkpointEvents; end <= table.header.events && checkpoints.length <= parts;) {
    addEvents(sums, layout, events, end - checkpointEvents, end, 1);
    checkpoints.push(sums.slice());
    end += checkpointEvents;
  }
  return { layout, events, checkpoints, checkpointEvents };
}

/** Adds events of the places [first, end) to the sums, or with `sign` −1 takes them away. */
export function addEvents(
  sums: Float64Array,
  layout: CellLayout,
  events: SortedEvents,
  first: number,
  end: number,
  sign: 1 | -1,
): void {
  const { steps, starts, cells } = layout;
  const { codes } = events;
  const n = layout.attributes.length;
  const counts = Int32Array.from(layout.levels, (levels) => levels.length);
  for (let place = first; place < end; place++) {
    const weight = sign * events.weight[place]!;
    const offset = events.step[place]! + (events.positive[place]! ? 0 : cells * steps);
    const base = place * n;
    for (let p = 0; p < n; p++) {
      const i = codes[base + p]!;
      if (i === NO_LEVEL) continue;
      sums[offset + (starts[p * n + p]! + i) * steps]! += weight;
      for (let q = p + 1; q < n; q++) {
        const j = codes[base + q]!;
        if (j !== NO_LEVEL) sums[offset + (starts[p * n + q]! + i * counts[q]! + j) * steps]! += weight;
      }
    }
  }
}

/** The sums of one range of weights; a move adds and removes only what crosses its ends, or starts at checkpoints. */
export class Counter {
  /** Positive class first; within a class cell by cell, within a cell step by step. Whole numbers. */
  readonly sums: Float64Array;
  private first = 0;
  private end = 0;

  constructor(readonly data: CountingData) {
    this.sums = new Float64Array(data.layout.cells * data.layout.steps * 2);
  }

  /** The places of the events in the range. */
  get places(): [number, number] {
    return [this.first, this.end];
  }

  move(range: readonly [number, number]): void {
    const [first, end] = placesOf(this.data.events.weight, range);
    const crossing = Math.abs(first - this.first) + Math.abs(end - this.end);
    if (crossing <= this.jumpCost(first, end)) this.walk(first, end);
    else this.jump(first, end);
    [this.first, this.end] = [first, end];
  }

  private walk(first: number, end: number): void {
    this.change(this.end, end, 1);
    this.change(this.first, first, -1);
  }

  private jump(first: number, end: number): void {
    const [low, high] = [this.checkpointNear(first), this.checkpointNear(end)];
    const { checkpoints, checkpointEvents } = this.data;
    const [below, upTo] = [checkpoints[low]!, checkpoints[high]!];
    const { sums } = this;
    for (let k = 0; k < sums.length; k++) sums[k] = upTo[k]! - below[k]!;
    this.change(high * checkpointEvents, end, 1);
    this.change(low * checkpointEvents, first, -1);
  }

  /** Moves one end of the range from a place to another; `sign` says whether events before the end count. */
  private change(from: number, to: number, sign: 1 | -1): void {
    const { layout, events } = this.data;
    if (from < to) addEvents(this.sums, layout, events, from, to, sign);
    else addEvents(this.sums, layout, events, to, from, sign === 1 ? -1 : 1);
  }

  private checkpointNear(place: number): number {
    const { checkpoints, checkpointEvents } = this.data;
    return Math.min(checkpoints.length - 1, Math.round(place / checkpointEvents));
  }

  /** In events, as the cost of a walk. */
  private jumpCost(first: number, end: number): number {
    const away = (place: number): number =>
      Math.abs(place - this.checkpointNear(place) * this.data.checkpointEvents);
    const n = this.data.layout.attributes.length;
    const updates = Math.max(1, (n * (n + 1)) / 2);
    return away(first) + away(end) + this.sums.length / SUMS_PER_UPDATE / updates;
  }
}

/** How many events of a range have each pair of levels, per class: positive first, then row by row. */
export function pairCounts(
  data: CountingData,
  [p, q]: readonly [number, number],
  [first, end]: readonly [number, number],
  steps: readonly [number, number],
): Uint32Array {
  const { layout, events } = data;
  const n = layout.attributes.length;
  const [columns, rows] = [layout.levels[p]!.length, layout.levels[q]!.length];
  const counts = new Uint32Array(2 * columns * rows);
  for (let place = first; place < end; place++) {
    const step = events.step[place]!;
    const [i, j] = [events.codes[place * n + p]!, events.codes[place * n + q]!];
    if (step < steps[0] || step > steps[1] || i === NO_LEVEL || j === NO_LEVEL) continue;
    counts[(events.positive[place]! ? 0 : columns * rows) + j * columns + i]!++;
  }
  return counts;
}
