/** Has a table counted in a worker. */

import { Failure } from "../api/client";
import { attributesThatFit, levelsThatOccur } from "./cells";
import { Counter, type CountingData } from "./counting";
import type { EventTable } from "./eventTable";
import type { CountingRequest } from "./worker";

/** Counts as many attributes as fit into memory, those first that come first in `wanted`. */
export function countTable(
  table: EventTable,
  wanted: readonly number[],
  signal: AbortSignal,
): Promise<Counter> {
  const levels = levelsThatOccur(table);
  const rest = table.header.attributes.map((_, k) => k).filter((k) => !wanted.includes(k));
  const attributes = attributesThatFit(levels, [...wanted, ...rest], table.header.steps);
  return answerOf({ table, levels, attributes }, signal).then((data) => new Counter(data));
}

function answerOf(request: CountingRequest, signal: AbortSignal): Promise<CountingData> {
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  return new Promise<CountingData>((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<CountingData>) => resolve(data);
    worker.onerror = () =>
      reject(
        new Failure(
          0,
          "COUNTING_FAILED",
          "The browser could not count this table. Choose fewer steps or fewer bins.",
        ),
      );
    signal.addEventListener("abort", () => reject(new DOMException("Counting was stopped.", "AbortError")));
    worker.postMessage(request);
  }).finally(() => worker.terminate());
}
