import { expect, it } from "vitest";
import type { EventTable } from "../grid/eventTable";
import { firstPair } from "./firstPair";

it("begins with the pair whose levels tell the classes apart, not with the first two attributes", () => {
  const levels = ["a", "b"];
  const names = ["noise", "one", "two"];
  const table = {
    header: { events: 4, attributes: names.map((name) => ({ name, levels })) },
    sequence: Uint32Array.of(0, 1, 2, 3),
    positive: Uint8Array.of(1, 1, 0, 0),
    // The noise is the same in both classes; the other two are (a, b) in one class and (b, a) in the other.
    levels: Uint8Array.of(0, 1, 0, 1, 0, 0, 1, 1, 1, 1, 0, 0),
  } as unknown as EventTable;
  expect(firstPair(table)).toEqual([1, 2]);
});
