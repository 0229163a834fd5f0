import { describe, expect, it } from "vitest";
import { cellSizes } from "./enlarged";

describe("cellSizes", () => {
  it("shows up to 16 columns beside the grid of a window of 1280 pixels without scrolling", () => {
    for (let columns = 1; columns <= 16; columns += 1)
      expect(cellSizes(322, columns).whole).toBeLessThanOrEqual(322);
  });

  it("writes numbers where they fit, and scrolls only where cells would be too small to be hit", () => {
    expect(cellSizes(322, 9)).toMatchObject({ numbered: true });
    expect(cellSizes(322, 16)).toMatchObject({ numbered: false });
    expect(cellSizes(950, 16)).toMatchObject({ numbered: true, small: false, cell: 40 });
    expect(cellSizes(322, 30).whole).toBeGreaterThan(322);
  });
});
