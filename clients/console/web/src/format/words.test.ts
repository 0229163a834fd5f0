import { describe, expect, it } from "vitest";
import { direction, eventShort, eventWords, listed, personText, verdictWords } from "./words";

describe("words", () => {
  it("say which event", () => {
    expect([0, -1, -1286].map(eventWords)).toEqual([
      "latest event",
      "1 before the latest",
      "1,286 before the latest",
    ]);
    expect([0, -12].map(eventShort)).toEqual(["latest", "−12"]);
  });

  it("say what an effect did, what was decided, and lists", () => {
    expect([0.1, -0.1, 0].map(direction)).toEqual([
      "raised the score",
      "lowered the score",
      "left the score as it was",
    ]);
    expect(verdictWords("false_positive")).toBe("False positive");
    expect([[], ["a"], ["a", "b"], ["a", "b", "c"]].map(listed)).toEqual(["", "a", "a and b", "a, b and c"]);
  });
});

describe("who it was", () => {
  it.each([
    ["anna", true, "anna"],
    ["anna", false, "anna (not verified)"],
    ["", false, ""],
  ])("%s, %s", (who, verified, text) => {
    expect(personText({ who, verified })).toBe(text);
  });
});
