/** The columns of a table of events that edges are counted from; they can be sent to a worker. */

import type { EventTable } from "../grid/eventTable";

export interface EventColumns {
  /** Ascending; within a sequence by step. */
  sequence: Uint32Array;
  weight: Uint16Array;
  step: Uint8Array | Uint16Array;
  /** Attribute by attribute. */
  levels: Uint8Array;
  positive: Uint8Array;
  variant: Uint8Array;
  steps: number;
  /** The number of levels of each attribute. */
  levelCounts: number[];
}

export function columnsOf(table: EventTable): EventColumns {
  return {
    sequence: table.sequence,
    weight: table.weight,
    step: table.step,
    levels: table.levels,
    positive: table.positive,
    variant: table.variant,
    steps: table.header.steps,
    levelCounts: table.header.attributes.map((each) => each.levels.length),
  };
}
