import { describe, expect, it } from "vitest";
import { MatrixCells, levelsThatOccur } from "./cells";
import { Counter, countingData } from "./counting";
import { cellAt, gridGeometry, rowGeometry } from "./geometry";
import { measures } from "./measures";
import { contrast } from "../colour/contrast";
import { colourIndex, palette } from "./palette";
import { paintCells, paintPlan, scaleEnds } from "./paint";
import { intensity, roundedUp, ticks } from "./scale";
import { syntheticTable } from "./synthetic";

const table = syntheticTable({ attributes: 3, levels: 4, steps: 4, sequences: 80, seed: 8 });
const data = countingData(table, levelsThatOccur(table), [0, 1, 2]);
const counter = new Counter(data);
counter.move([0, 65535]);

describe("the picture of the grid", () => {
  const shown = [2, 0, 1];
  const choice = { selector: "difference", steps: [0, 3] } as const;

  it("has in every cell the colour of its number, at one and two pixels a point, in the order of the reader", () => {
    for (const ratio of [1, 2]) {
      const geometry = gridGeometry(data.layout, shown, 300, ratio);
      const plan = paintPlan(data.layout, geometry);
      const found = measures(counter.sums, data.layout, table.header.class, choice);
      const ends = scaleEnds(plan, found);
      const colours = palette(false, "difference", "console");
      const pixels = new Uint32Array(geometry.size ** 2);
      paintCells(pixels, plan, found, ends, colours, "difference");
      geometry.bands.forEach((column, c) =>
        geometry.bands.forEach((row, r) => {
          const cells = new MatrixCells(data.layout, column.position, row.position);
          column.levels.forEach((_, i) =>
            row.levels.forEach((_, j) => {
              const [x, y] = [column.start + i * geometry.cell, row.start + j * geometry.cell];
              const at = cells.at(i, j);
              const [values, end] = c > r ? [found.variance, ends.variance] : [found.saliency, ends.saliency];
              const place = intensity(values[at] ?? 0, end);
              const index = colourIndex(place, "difference");
              const wanted = at < 0 || index === 255 ? 0 : colours.pixels[index]!;
              expect(pixels[y * geometry.size + x]).toBe(wanted);
              expect(pixels[(y + geometry.cell - 2) * geometry.size + x + geometry.cell - 2]).toBe(wanted);
              const middle = [(x + 1) / ratio, (y + 1) / ratio] as const;
              expect(cellAt(geometry, ...middle)).toEqual({ column: c, row: r, i, j });
            }),
          );
        }),
      );
    }
  });

  it("finds no cell between matrices and outside", () => {
    const geometry = gridGeometry(data.layout, shown, 300, 1);
    const { start, size } = geometry.bands[0]!;
    expect(cellAt(geometry, start + size + 1, 1)).toBeNull();
    expect(cellAt(geometry, -1, 1)).toBeNull();
    expect(cellAt(geometry, geometry.size + 1, 1)).toBeNull();
  });

  it("tells where rows and levels stand", () => {
    const geometry = gridGeometry(data.layout, shown, 300, 2);
    const [first, second] = rowGeometry(geometry);
    expect(first?.attribute).toBe(2);
    expect(first?.levels[0]?.centre).toBe(geometry.cell / 4);
    expect(second?.top).toBeGreaterThan(first!.height);
  });
});

describe("colours", () => {
  const redder = (css: string): boolean => {
    const [red = 0, , blue = 0] = css.match(/\d+/g)!.map(Number);
    return red > blue;
  };

  it("are warm for the positive class in the console, cool in the paper, in light and dark", () => {
    for (const dark of [false, true]) {
      expect(redder(palette(dark, "difference", "console").css[480]!)).toBe(true);
      expect(redder(palette(dark, "difference", "paper").css[480]!)).toBe(false);
      expect(redder(palette(dark, "negative", "console").css[colourIndex(0.9, "negative")]!)).toBe(false);
    }
  });

  it("leave text on them a contrast of 4.5 or more", () => {
    for (const dark of [false, true])
      for (const selector of ["difference", "both"] as const) {
        const { css, ink } = palette(dark, selector, "console");
        css.forEach((colour, k) => expect(contrast(colour, ink[k]!)).toBeGreaterThanOrEqual(4.5));
      }
  });
});

describe("scales", () => {
  it("grow with the size of a value and keep its sign", () => {
    expect(intensity(0, 1)).toBe(0);
    expect(intensity(1, 1)).toBe(1);
    expect(intensity(-5, 1)).toBe(-1);
    expect(intensity(0.1, 1) - intensity(0.01, 1)).toBeCloseTo(intensity(1, 1) - intensity(0.1, 1), 1);
    expect(intensity(0.3, 0)).toBe(0);
  });

  it("end at round numbers", () => {
    expect([0.0103, 0.02, 3.1, 0, 7e-9].map(roundedUp)).toEqual([0.02, 0.02, 5, 0, 1e-8]);
    expect(ticks(0.5, true).map(({ value }) => value)).toEqual([-0.5, -0.05, -0.005, 0, 0.005, 0.05, 0.5]);
    expect(ticks(0, false)).toEqual([{ value: 0, place: 0 }]);
  });
});
