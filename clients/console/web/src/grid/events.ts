/** The events of a table sorted by weight, as the counter reads them. */

import type { CellLayout } from "./cells";
import type { EventTable } from "./eventTable";
import { NO_LEVEL } from "./eventTable";

export interface SortedEvents {
  /** Ascending. */
  weight: Uint16Array;
  step: Uint16Array;
  /** 1 for the positive class. */
  positive: Uint8Array;
  /** Event by event, the position of each attribute's level among those that occur; 255 for none. */
  codes: Uint8Array;
}

export function sortEvents(table: EventTable, layout: CellLayout): SortedEvents {
  const order = orderByWeight(table.weight);
  const sorted: SortedEvents = {
    weight: table.weight.map((_, place) => table.weight[order[place]!]!),
    step: Uint16Array.from(order, (event) => table.step[event]!),
    positive: Uint8Array.from(order, (event) => table.positive[table.sequence[event]!]!),
    codes: new Uint8Array(order.length * layout.attributes.length),
  };
  layout.attributes.forEach((attribute, k) => fillCodes(table, layout, order, sorted.codes, attribute, k));
  return sorted;
}

function fillCodes(
  table: EventTable,
  layout: CellLayout,
  order: Uint32Array,
  codes: Uint8Array,
  attribute: number,
  k: number,
): void {
  const code = new Uint8Array(256).fill(NO_LEVEL);
  layout.levels[k]?.forEach((level, position) => (code[level] = position));
  const start = attribute * table.header.events;
  const width = layout.attributes.length;
  for (let place = 0; place < order.length; place++)
    codes[place * width + k] = code[table.levels[start + order[place]!]!]!;
}

/** The indexes of events by ascending weight: a counting sort, which keeps the order of equal weights. */
function orderByWeight(weight: Uint16Array): Uint32Array {
  const next = new Uint32Array(65537);
  for (const each of weight) next[each + 1]!++;
  for (let value = 0; value < 65536; value++) next[value + 1]! += next[value]!;
  const order = new Uint32Array(weight.length);
  for (let event = 0; event < weight.length; event++) order[next[weight[event]!]!++] = event;
  return order;
}

/** The places [first, end) of the events whose weight is in a range; both ends of the range belong to it. */
export function placesOf(weight: Uint16Array, range: readonly [number, number]): [number, number] {
  const first = placesBelow(weight, range[0]);
  return [first, Math.max(first, placesBelow(weight, range[1] + 1))];
}

/** How many weights are smaller. */
function placesBelow(weight: Uint16Array, limit: number): number {
  let low = 0;
  let high = weight.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (weight[middle]! < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
