/** The pair of attributes that the page of the learning progress begins with. */

import { NO_LEVEL, type EventTable } from "../grid/eventTable";

/** The two attributes with the levels whose share of the events differs most between the classes. */
export function firstPair(table: EventTable): [number, number] {
  const count = table.header.attributes.length;
  let best = { difference: -1, pair: [0, Math.min(1, count - 1)] as [number, number] };
  for (let p = 0; p < count; p += 1)
    for (let q = p + 1; q < count; q += 1) {
      const difference = largestDifference(table, p, q);
      if (difference > best.difference) best = { difference, pair: [p, q] };
    }
  return best.pair;
}

function largestDifference({ header, levels, sequence, positive }: EventTable, p: number, q: number): number {
  const { events } = header;
  const width = header.attributes[q]?.levels.length ?? 0;
  const cells = (header.attributes[p]?.levels.length ?? 0) * width;
  const counts = [new Uint32Array(cells), new Uint32Array(cells)] as const;
  const totals: [number, number] = [0, 0];
  for (let event = 0; event < events; event += 1) {
    const [first, second] = [levels[p * events + event]!, levels[q * events + event]!];
    const side = positive[sequence[event]!] === 1 ? 1 : 0;
    totals[side] += 1;
    if (first !== NO_LEVEL && second !== NO_LEVEL) counts[side][first * width + second]! += 1;
  }
  const share = (side: 0 | 1, cell: number): number => counts[side][cell]! / Math.max(1, totals[side]);
  let most = 0;
  for (let cell = 0; cell < cells; cell += 1)
    most = Math.max(most, Math.abs(share(1, cell) - share(0, cell)));
  return most;
}
