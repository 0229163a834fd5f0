import { describe, expect, it } from "vitest";
import { LETTER, columnNames, marginFor } from "./margin";

const bands = (size: number, ...names: string[]): { name: string; size: number }[] =>
  names.map((name) => ({ name, size }));

describe("marginFor", () => {
  it("gives row names the width that they need in the lines that there are, up to 160 pixels", () => {
    const two = marginFor(bands(30, "Unscheduled maintenance", "Repairs"), 3);
    expect(two.names).toBeGreaterThanOrEqual("Unscheduled".length * LETTER);
    expect(two.names).toBeLessThan(100);
    const one = marginFor(bands(12, "Operating system"), 3);
    expect(one.names).toBeGreaterThanOrEqual("Operating system".length * LETTER);
    expect(marginFor(bands(12, "A name that is far too long for one line of it"), 3).names).toBe(160);
  });
});

describe("columnNames", () => {
  it("keeps the lines of neighbours apart, however narrow the bands are", () => {
    for (let size = 9; size < 60; size += 1) {
      const { degrees, fontPixels } = columnNames(bands(size, "Network", "Country", "Channel")).columns;
      expect(size * Math.sin((degrees * Math.PI) / 180)).toBeGreaterThanOrEqual(fontPixels);
    }
  });

  it("leans names as little as it can", () => {
    expect(columnNames(bands(40, "Network", "Country")).columns).toMatchObject({
      degrees: 40,
      fontPixels: 11,
    });
    expect(columnNames(bands(10, "Network", "Country")).columns).toMatchObject({
      degrees: 90,
      fontPixels: 9,
    });
  });
});
