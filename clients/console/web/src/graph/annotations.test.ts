import { describe, expect, it } from "vitest";
import { decodeState, encodeState } from "../app/urlState";
import { syntheticTable } from "../grid/synthetic";
import {
  cornerOf,
  isOfView,
  LONGEST_NAME,
  placeAt,
  placeOf,
  readAnnotations,
  regionOf,
  type Annotation,
} from "./annotations";
import type { Slot } from "./figure";
import { slotY, stepX, type Axes } from "./geometry";

const table = syntheticTable({ attributes: 2, levels: 4, steps: 6, sequences: 5, seed: 1 });
const attributes = [0, 1];
const slots: Slot[] = [
  { levels: [0, 0], at: 0.1 },
  { levels: [0, 1], at: 0.3 },
  { levels: [1, 0], at: 0.7 },
];
const steps: [number, number] = [1, 5];
const axes: Axes = { rect: { x: 100, y: 50, width: 400, height: 200 }, steps };

const annotation = (name = "late"): Annotation => ({
  view: ["attribute_0", "attribute_1"],
  from: cornerOf(table, attributes, slots, { step: 2, slot: 0 }),
  to: cornerOf(table, attributes, slots, { step: 5, slot: 2 }),
  name,
});

describe("annotations", () => {
  it("come back from the address, at the same place", () => {
    const state = decodeState(encodeState({ annotations: [annotation("Région ≥ 3")] }));
    const [found] = readAnnotations(state?.["annotations"] as unknown[]);
    expect(found).toEqual(annotation("Région ≥ 3"));
    expect(found && placeOf(table, attributes, slots, steps, found.from)).toEqual({ step: 2, slot: 0 });
    expect(found?.to.time).toBe(0);
    expect(found && isOfView(found, ["attribute_0", "attribute_1"])).toBe(true);
    expect(found && isOfView(found, ["attribute_1", "attribute_0"])).toBe(false);
  });

  it("are not shown where their step or their levels are not among what is chosen", () => {
    const { from } = annotation();
    expect(placeOf(table, attributes, slots, [3, 5], from)).toBeNull();
    expect(placeOf(table, attributes, slots.slice(1), steps, from)).toBeNull();
  });

  it("leave out what is none", () => {
    const good = annotation();
    const bad = [
      null,
      3,
      {},
      { ...good, name: "x".repeat(LONGEST_NAME + 1) },
      { ...good, to: { time: 0.5, levels: ["a"] } },
    ];
    expect(readAnnotations([...bad, good])).toEqual([good]);
    expect(readAnnotations(Array<Annotation>(100).fill(good)).length).toBe(20);
  });

  it("are drawn around their corners, in whatever order these are", () => {
    const [a, b] = [
      { step: 2, slot: 0 },
      { step: 5, slot: 2 },
    ];
    const region = regionOf(axes, slots, a, b);
    expect(regionOf(axes, slots, b, a)).toEqual(region);
    for (const { step, slot } of [a, b]) {
      const [x, y] = [stepX(axes, step), slotY(axes.rect, slots[slot]?.at ?? 0)];
      expect(x > region.x && x < region.x + region.width).toBe(true);
      expect(y > region.y && y < region.y + region.height).toBe(true);
      expect(placeAt(axes, slots, x + 3, y - 2)).toEqual({ step, slot });
    }
    expect(placeAt(axes, slots, -500, 9999)).toEqual({ step: 1, slot: 2 });
  });
});
