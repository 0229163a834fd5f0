import { describe, expect, it } from "vitest";
import {
  count,
  counted,
  effect,
  margin,
  ordinal,
  percent,
  plainNumber,
  score,
  setNumber,
  signed,
} from "./numbers";

describe("numbers as text", () => {
  it("have a sign where they are effects", () => {
    expect([0.2345, -0.2345, 0.0234, 1.5, -12.34, 0].map((x) => signed(x))).toEqual([
      "+0.235",
      "−0.235",
      "+0.023",
      "+1.500",
      "−12.340",
      "0",
    ]);
  });

  it("never show a tiny number as nothing", () => {
    expect(signed(0.0004)).toBe("< +0.001");
    expect(signed(-0.0004)).toBe("> −0.001");
    expect(signed(0.0005)).toBe("+0.001");
    expect(plainNumber(1e-9)).toBe("< 0.001");
  });

  it("group thousands, and keep about three figures", () => {
    expect([41000, -1204, 7].map(count)).toEqual(["41,000", "−1,204", "7"]);
    expect([0.99812, 12.3456, 2109, 2109.4, -0.5, NaN].map((x) => plainNumber(x))).toEqual([
      "0.998",
      "12.3",
      "2,109",
      "2,109",
      "−0.500",
      "–",
    ]);
  });

  it("stay as they were set, where people have set them", () => {
    expect([0.8465, 0.5, -1.25, 1e-7, 2000].map(setNumber)).toEqual([
      "0.8465",
      "0.5",
      "−1.25",
      "0.0000001",
      "2,000",
    ]);
  });

  it("do not round a score to certainty", () => {
    expect([0.99999, 0.998, 1, 0].map(score)).toEqual(["> 0.999", "0.998", "1.000", "0"]);
  });

  it("have the 95 % interval of a standard error", () => {
    expect([0.004, 0, 0.0001, Infinity].map((each) => margin(each))).toEqual([
      "± 0.008",
      "exact",
      "± < 0.001",
      "± ?",
    ]);
    expect([effect(0.23, 0.005), effect(0.23, 0)]).toEqual(["+0.230 ± 0.010", "+0.230"]);
  });

  it("are percentages, ordinals and counts of things", () => {
    expect([0.123, 0.0234, 0, 1, 0.0001].map(percent)).toEqual(["12 %", "2.3 %", "0 %", "100 %", "< 0.1 %"]);
    expect([1, 2, 3, 4, 11, 12, 13, 21, 102, 111].map(ordinal)).toEqual(
      "1st 2nd 3rd 4th 11th 12th 13th 21st 102nd 111th".split(" "),
    );
    expect([counted(1, "alert"), counted(1204, "alert"), counted(2, "history", "histories")]).toEqual([
      "1 alert",
      "1,204 alerts",
      "2 histories",
    ]);
  });
});
