import { describe, expect, it } from "vitest";
import { ago, before, clockTime, dateTime, dayOf, duration, fullTime, shortTime } from "./times";

const berlin = { timeZone: "Europe/Berlin" };
const iso = "2026-11-26T16:03:44Z";

describe("times as text", () => {
  it("are in the zone of the reader, which is named", () => {
    expect(fullTime(iso, berlin)).toBe("26 Nov 2026, 17:03:44 CET");
    expect(dateTime(iso, { timeZone: "UTC" })).toBe("26 Nov 2026, 16:03");
    expect(clockTime(iso, berlin)).toBe("17:03:44");
    expect(dayOf("2026-11-26T23:30:00Z", berlin)).toBe("27 Nov 2026");
  });

  it("leave out the year where it is this one", () => {
    const now = new Date("2026-12-01T00:00:00Z");
    expect(shortTime(iso, now, berlin)).toBe("26 Nov 17:03");
    expect(shortTime("2025-02-03T04:05:00Z", now, { timeZone: "UTC" })).toBe("3 Feb 2025 04:05");
  });

  it("are empty where there is none", () => {
    expect([fullTime(null), dateTime("soon"), shortTime(null), ago("x")]).toEqual(["", "", "", ""]);
  });

  it("are told as durations", () => {
    expect([0.254, 9.87, 42, 75, 120, 7200, 7260, 200000].map(duration)).toEqual([
      "0.25 s",
      "9.9 s",
      "42 s",
      "1 min 15 s",
      "2 min",
      "2 h",
      "2 h 1 min",
      "2 d 7 h",
    ]);
    expect(before("2026-11-26T16:03:32Z", iso)).toBe("12 s before");
    expect(before(iso, iso)).toBe("at the same time");
    expect(["16:03:50", "16:08:44", "20:03:44"].map((at) => ago(iso, new Date(`2026-11-26T${at}Z`)))).toEqual(
      ["just now", "5 min ago", "4 h ago"],
    );
  });
});
