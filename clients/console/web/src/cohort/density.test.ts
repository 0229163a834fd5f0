import { describe, expect, it } from "vitest";
import type { DensityData } from "../api/types";
import {
  along,
  binBox,
  nearest,
  nextSpot,
  plotOf,
  rangeOf,
  scatter,
  signOf,
  spotAt,
  strength,
  type Direction,
} from "./density";

const data: DensityData = {
  rows: ["0", "-1", "-2"].map((key) => ({ key, label: key, n: 3, mean: 0.1, share: 1 })),
  edges: [-0.2, -0.1, 0, 0.1, 0.2],
  counts: [
    [0, 1, 2, 0],
    [3, 0, 0, 1],
    [0, 0, 0, 0],
  ],
  openLow: false,
  openHigh: true,
  sample: [],
};
const box = { x: 40, y: 10, width: 300, height: 120 };

describe.each<Direction>(["rows", "columns"])("a density in %s", (direction) => {
  const plot = plotOf(data, direction, box);

  it("finds each bin at the middle of its box, and nothing outside", () => {
    for (const row of [0, 1, 2])
      for (const bin of [0, 1, 2, 3]) {
        const at = binBox(data, plot, { row, bin });
        expect(spotAt(data, plot, at.x + at.width / 2, at.y + at.height / 2)).toEqual({ row, bin });
      }
    expect(spotAt(data, plot, box.x - 1, 50)).toBeNull();
    expect(spotAt(data, plot, 100, box.y + box.height)).toBeNull();
  });

  it("keeps all boxes inside the plot", () => {
    for (const row of [0, 1, 2])
      for (const bin of [0, 1, 2, 3]) {
        const at = binBox(data, plot, { row, bin });
        expect(at.x).toBeGreaterThanOrEqual(box.x - 1e-9);
        expect(at.y).toBeGreaterThanOrEqual(box.y - 1e-9);
        expect(at.x + at.width).toBeLessThanOrEqual(box.x + box.width + 1e-9);
        expect(at.y + at.height).toBeLessThanOrEqual(box.y + box.height + 1e-9);
      }
  });
});

describe("a density", () => {
  it("has larger effects to the right in rows, and higher up in columns", () => {
    const [rows, columns] = [plotOf(data, "rows", box), plotOf(data, "columns", box)];
    expect(along(rows, 0.1)).toBeGreaterThan(along(rows, -0.1));
    expect(along(columns, 0.1)).toBeLessThan(along(columns, -0.1));
  });

  it("has the latest event at the right", () => {
    const plot = plotOf(data, "columns", box);
    expect(binBox(data, plot, { row: 0, bin: 0 }).x).toBeGreaterThan(
      binBox(data, plot, { row: 2, bin: 0 }).x,
    );
  });

  it("is walked from bin to bin with sequences, and to the nearest one of the next strip", () => {
    expect(nextSpot(data, { row: 0, bin: 1 }, 0, 1)).toEqual({ row: 0, bin: 2 });
    expect(nextSpot(data, { row: 0, bin: 2 }, 0, 1)).toEqual({ row: 0, bin: 2 });
    expect(nextSpot(data, { row: 1, bin: 3 }, 0, -1)).toEqual({ row: 1, bin: 0 });
    expect(nextSpot(data, { row: 0, bin: 1 }, 1, 0)).toEqual({ row: 1, bin: 0 });
    expect(nextSpot(data, { row: 1, bin: 0 }, 5, 0)).toEqual({ row: 2, bin: 0 });
    expect(nearest(data, 1, 2)).toBe(3);
  });

  it("paints effects beside 0 as neither raising nor lowering", () => {
    expect([0, 1, 2, 3].map((bin) => signOf(data, bin))).toEqual([-1, 0, 0, 1]);
  });

  it("is stronger where there are more, and nothing where there is none", () => {
    expect(strength(0, 10)).toBe(0);
    expect(strength(10, 10)).toBeCloseTo(1);
    expect(strength(2, 10)).toBeGreaterThan(strength(1, 10));
  });

  it("scatters dots inside their strip, always in the same place", () => {
    const places = Array.from({ length: 1000 }, (_, at) => scatter(at));
    expect(Math.min(...places)).toBeGreaterThanOrEqual(-0.5);
    expect(Math.max(...places)).toBeLessThan(0.5);
    expect(places.reduce((sum, place) => sum + place, 0) / 1000).toBeCloseTo(0, 1);
    expect(scatter(7)).toBe(scatter(7));
  });
});

describe("an open bin", () => {
  it("has no end on its outer side, and shows there what lies beyond", () => {
    expect(rangeOf(data, 0)).toEqual([-0.2, -0.1]);
    expect(rangeOf(data, 3)).toEqual([0.1, null]);
    expect(along(plotOf(data, "rows", box), 90)).toBe(box.x + box.width);
  });
});
