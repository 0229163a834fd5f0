import { describe, expect, it } from "vitest";
import { placed } from "./place";

const view = { width: 400, height: 300 };

describe("where a panel goes", () => {
  it("is below its control, and starts where it starts", () => {
    expect(placed({ left: 20, top: 10, width: 80, height: 30 }, { width: 100, height: 50 }, view)).toEqual({
      left: 20,
      top: 44,
    });
  });

  it("is above it at the end of the window, and inside its sides", () => {
    expect(placed({ left: 380, top: 260, width: 15, height: 30 }, { width: 100, height: 50 }, view)).toEqual({
      left: 292,
      top: 206,
    });
    expect(
      placed({ left: 0, top: 10, width: 10, height: 10 }, { width: 100, height: 20 }, view, true).left,
    ).toBe(8);
  });

  it("stays below where there is no room above either", () => {
    expect(placed({ left: 20, top: 100, width: 80, height: 30 }, { width: 100, height: 280 }, view).top).toBe(
      134,
    );
  });
});
