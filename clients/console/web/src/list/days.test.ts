import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { dayEnd, dayField, dayStart } from "./days";

const zone = process.env["TZ"];
beforeEach(() => {
  process.env["TZ"] = "Europe/Berlin";
});
afterEach(() => {
  process.env["TZ"] = zone;
});

describe("days", () => {
  it("begin and end where the reader is, also when clocks change", () => {
    expect(dayStart("2026-10-25")).toBe("2026-10-24T22:00:00.000Z");
    expect(dayEnd("2026-10-25")).toBe("2026-10-25T23:00:00.000Z");
    expect(dayEnd("2026-12-31")).toBe("2026-12-31T23:00:00.000Z");
  });

  it("come back as they were chosen", () => {
    expect(dayField(dayStart("2026-03-09"))).toBe("2026-03-09");
    expect([dayStart(""), dayEnd("x"), dayField("soon")]).toEqual(["", "", ""]);
  });
});
