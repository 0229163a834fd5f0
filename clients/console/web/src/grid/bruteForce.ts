/** Numbers of the grid computed anew, event by event, without anything of `counting.ts`. For tests only. */

import type { EventTable } from "./eventTable";
import { NO_LEVEL } from "./eventTable";

/** Sums of weights of the events with two levels, by class (1 positive) and step. */
export function heatBySteps(
  table: EventTable,
  [p, q]: readonly [number, number],
  [i, j]: readonly [number, number],
  positive: 0 | 1,
  range: readonly [number, number],
): number[] {
  const heat: number[] = new Array<number>(table.header.steps).fill(0);
  for (const event of eventsBehind(table, [p, q], [i, j], range))
    if (table.positive[table.sequence[event]!] === positive)
      heat[table.step[event]!]! += table.weight[event]!;
  return heat;
}

/** The events with two levels and a weight in the range. */
export function eventsBehind(
  table: EventTable,
  [p, q]: readonly [number, number],
  [i, j]: readonly [number, number],
  [low, high]: readonly [number, number],
): number[] {
  const { events } = table.header;
  const found: number[] = [];
  for (let event = 0; event < events; event++) {
    const weight = table.weight[event]!;
    const pair = [table.levels[p * events + event]!, table.levels[q * events + event]!];
    if (weight < low || weight > high || pair.includes(NO_LEVEL)) continue;
    if (pair[0] === i && pair[1] === j) found.push(event);
  }
  return found;
}

export interface BruteCell {
  saliency: number;
  variance: number;
}

/** The two numbers of a cell for one class, or both as one, by their definitions. */
export function bruteCell(heat: number[], size: number, [first, last]: readonly [number, number]): BruteCell {
  const chosen = heat.slice(first, last + 1).map((sum) => sum / 65535 / size);
  const mean = chosen.reduce((sum, value) => sum + value, 0) / chosen.length;
  return {
    saliency: mean * chosen.length,
    variance: chosen.reduce((sum, value) => sum + (value - mean) ** 2, 0) / chosen.length,
  };
}
