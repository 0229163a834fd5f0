import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { contrast, inkOn, luminance, rgbOf, WHITE } from "./contrast";
import { divergingColour, PAINT, signColour, valueColour, type Paint } from "./diverging";
import { sequentialColour } from "./sequential";

const shares = Array.from({ length: 41 }, (_, index) => index / 20 - 1);
const paints: Paint[] = [false, true].flatMap((dark) =>
  (["RdBu", "PuOr"] as const).flatMap((palette) =>
    [false, true].map((reversed) => ({ palette, dark, reversed })),
  ),
);
const [red, blue] = [0, 2] as const;

describe("the colour of a signed number", () => {
  it("is warm towards the positive class, and cool away from it", () => {
    for (const paint of paints.filter((each) => !each.reversed)) {
      const [warm, cool] = [rgbOf(divergingColour(0.7, paint)), rgbOf(divergingColour(-0.7, paint))];
      expect(warm[red]).toBeGreaterThan(warm[blue] + 40);
      expect(cool[blue]).toBeGreaterThan(cool[red] + 20);
    }
  });

  it("is the other way round in the colours of the paper", () => {
    for (const paint of paints)
      for (const share of shares)
        expect(divergingColour(share, { ...paint, reversed: !paint.reversed })).toBe(
          divergingColour(-share, paint),
        );
  });

  it("is neutral at zero, and stays at its ends beyond them", () => {
    expect(divergingColour(0, { ...PAINT, dark: true })).toBe("rgb(32, 37, 45)");
    expect(valueColour(5, 2)).toBe(divergingColour(1));
    expect(valueColour(-1, 2)).toBe(divergingColour(-0.5));
    expect(valueColour(1, 0)).toBe(divergingColour(0));
    expect(divergingColour(NaN)).toBe(divergingColour(0));
  });

  it("grows steadily away from zero, so that larger is never paler", () => {
    for (const paint of paints)
      for (const sign of [1, -1]) {
        const steps = shares
          .filter((share) => share >= 0.1)
          .map((share) => luminance(divergingColour(sign * share, paint)));
        const sorted = steps.toSorted((a, b) => (paint.dark ? a - b : b - a));
        expect(steps).toEqual(sorted);
      }
  });

  it("can be seen as a bar on the page: 3 to 1", () => {
    for (const paint of paints)
      for (const value of [1, -1])
        expect(contrast(signColour(value, paint), paint.dark ? "#20252d" : WHITE)).toBeGreaterThan(3);
  });
});

describe("ink", () => {
  it("can be read on every colour: 4.5 to 1", () => {
    const colours = [
      ...paints.flatMap((paint) => shares.map((share) => divergingColour(share, paint))),
      ...(["neutral", "warm", "cool"] as const).flatMap((hue) =>
        [false, true].flatMap((dark) => shares.map((share) => sequentialColour(share, hue, dark))),
      ),
    ];
    for (const colour of colours) expect(contrast(inkOn(colour), colour)).toBeGreaterThanOrEqual(4.5);
  });

  it("is measured as the standard says", () => {
    expect(contrast("#000", "#fff")).toBeCloseTo(21, 6);
    expect(contrast("rgb(119, 119, 119)", "#ffffff")).toBeCloseTo(4.478, 2);
  });
});

describe("the page's own colours", () => {
  const text = readFileSync(new URL("../app/tokens.css", import.meta.url), "utf-8");
  // A colour that is the same in both themes stands alone.
  const colours = [
    ...text.matchAll(/--([\w-]+):\s*(?:light-dark\()?(#[0-9a-f]{6})(?:,\s*(#[0-9a-f]{6})\))?;/g),
  ];
  const themes = [2, 3].map(
    (place) => new Map(colours.map((found) => [found[1] ?? "", found[place] ?? found[2] ?? ""])),
  );

  it.each([0, 1])("can be read in theme %i: 4.5 for text, 3 for borders of controls", (index) => {
    const theme = themes[index] ?? new Map<string, string>();
    const of = (name: string): string => theme.get(name) ?? "#000000";
    for (const ground of ["paper", "panel", "raised", "hover", "selected"]) {
      for (const ink of ["ink", "muted", "accent", "warm", "cool", "warn", "bad", "good"])
        expect(contrast(of(ink), of(ground)), `${ink} on ${ground}`).toBeGreaterThanOrEqual(4.5);
      expect(contrast(of("edge"), of(ground)), `edge on ${ground}`).toBeGreaterThanOrEqual(3);
    }
    for (const tone of ["accent", "warm", "cool", "warn", "bad", "good"])
      for (const ink of [tone, "ink", "muted"])
        expect(contrast(of(ink), of(`${tone}-soft`)), `${ink} on ${tone}-soft`).toBeGreaterThanOrEqual(4.5);
    for (const ground of ["accent-strong", "accent-deep"])
      expect(contrast(of("on-accent"), of(ground)), ground).toBeGreaterThanOrEqual(4.5);
    expect(contrast(of("focus"), of("paper"))).toBeGreaterThanOrEqual(3);
  });

  it("are found", () => {
    expect(colours.length).toBeGreaterThan(20);
    expect(themes[0]?.get("paper")).not.toBe(themes[1]?.get("paper"));
  });
});
