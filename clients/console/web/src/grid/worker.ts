/** Sorts and counts a table away from the page, which stays alive meanwhile. */

import { countingData } from "./counting";
import type { EventTable } from "./eventTable";

export interface CountingRequest {
  table: EventTable;
  levels: number[][];
  attributes: number[];
}

self.onmessage = ({ data }: MessageEvent<CountingRequest>) => {
  const found = countingData(data.table, data.levels, data.attributes);
  const { events, checkpoints } = found;
  const arrays = [events.weight, events.step, events.positive, events.codes, ...checkpoints];
  self.postMessage(found, { transfer: arrays.map((array) => array.buffer as ArrayBuffer) });
};
