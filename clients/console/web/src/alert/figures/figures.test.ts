import { describe, expect, it } from "vitest";
import { effectsOf } from "../effects";
import { Phrases } from "../phrases";
import { attribution, level, testDocument } from "../testDocument";
import { extentWithZero, labelStride, shortened, textWidth, valueAxis } from "./axis";
import { cellMap } from "./cellMap";
import { effectBars, type BarInput } from "./effectBars";
import { eventBars } from "./eventBars";
import { mapGeometry } from "./mapGeometry";
import { commonDomain, microBar } from "./microBar";
import { curvePoints, latestCuts, pruningCurve } from "./pruningCurve";

const text = (value: number): string => value.toFixed(3);
const bar = (value: number, standardError: number): BarInput => ({
  key: `${value}`,
  label: "A feature",
  text: text(value),
  error: "±",
  value,
  standardError,
  low: value - 1.96 * standardError,
  high: value + 1.96 * standardError,
});

function events(count: number, value: (t: number) => number) {
  const items = Array.from({ length: count }, (_, index) => index - count + 1);
  return effectsOf(level(...items.map((t) => attribution("event", value(t), 0.01, { t }))), 0);
}

/** Pairs of neighbours whose texts would lie over each other. */
function overlaps(labels: readonly { at: number; label: string }[]): string[] {
  const sorted = [...labels].sort((a, b) => a.at - b.at);
  return sorted.flatMap((each, index) => {
    const next = sorted[index + 1];
    if (!next) return [];
    return each.at + textWidth(each.label) / 2 > next.at - textWidth(next.label) / 2
      ? [each.label + next.label]
      : [];
  });
}

describe("axes", () => {
  it("hold 0 and everything else, however far out", () => {
    expect(extentWithZero([0.1, 0.4])).toEqual([0, 0.4]);
    expect(extentWithZero([-7, -0.2])).toEqual([-7, 0]);
    expect(extentWithZero([0, NaN])).toEqual([-0.001, 0.001]);
    const axis = valueAxis([-3.7, 12.2], [0, 100], 5);
    expect(axis.scale(-3.7)).toBeGreaterThanOrEqual(0);
    expect(axis.scale(12.2)).toBeLessThanOrEqual(100);
  });

  it("have labels every 1, 2, 5, 10 … places", () => {
    expect([30, 20, 15, 5, 1].map((step) => labelStride(step, 25))).toEqual([1, 2, 2, 5, 50]);
  });

  it("shorten long names with an ellipsis", () => {
    expect(shortened("short", 100)).toBe("short");
    expect(shortened("a name that is far too long", 66)).toBe("a name t…");
  });
});

describe("bars of features", () => {
  it("keep values and whiskers inside, also below −0.3 and above 1", () => {
    const geometry = effectBars([bar(-0.9, 0.2), bar(0.02, 0.01), bar(3, 0.5)], 600);
    for (const each of geometry.bars) {
      expect(each.x).toBeGreaterThanOrEqual(geometry.labelWidth);
      expect(each.x + each.width).toBeLessThanOrEqual(600);
      expect(each.whisker?.from).toBeGreaterThanOrEqual(geometry.labelWidth);
      expect(each.whisker?.to).toBeLessThanOrEqual(600);
    }
  });

  it("keep their numbers inside on a phone", () => {
    const geometry = effectBars([bar(0.5, 0.1), bar(-0.1, 0.1)], 320);
    for (const each of geometry.bars) {
      const end = each.textX + (each.textLeft ? -1 : 1) * textWidth(each.text);
      expect(end).toBeGreaterThanOrEqual(geometry.labelWidth - 8);
      expect(end).toBeLessThanOrEqual(320);
    }
    expect(overlaps(geometry.ticks)).toEqual([]);
  });

  it("have labels that do not run into each other, also where names and numbers leave little room", () => {
    for (const scale of [1e-4, 0.4, 8, 20_000]) {
      const wide = { ...bar(scale, 0), label: "A name that takes all the room there is for names" };
      const geometry = effectBars([wide, bar(-scale, 0)], 500);
      expect(overlaps(geometry.ticks)).toEqual([]);
      expect(geometry.ticks.map((each) => each.at)).toContainEqual(geometry.zero);
    }
  });

  it("begin at 0 and are as long as their values", () => {
    const geometry = effectBars([bar(0.5, 0), bar(0.25, 0), bar(-0.25, 0)], 600);
    const [half, quarter, minus] = geometry.bars;
    expect(half?.x).toBe(geometry.zero);
    expect(half?.width).toBeCloseTo(2 * (quarter?.width ?? 0), 9);
    expect((minus?.x ?? 0) + (minus?.width ?? 0)).toBeCloseTo(geometry.zero, 9);
    expect(half?.whisker).toBeNull();
  });

  it("have their numbers beyond the whiskers, within the figure", () => {
    const geometry = effectBars([bar(0.5, 0.1), bar(-0.5, 0.1)], 600);
    const [up, down] = geometry.bars;
    expect(up?.textX).toBeGreaterThan(up?.whisker?.to ?? 0);
    expect(down?.textX).toBeLessThan(down?.whisker?.from ?? 0);
    expect((up?.textX ?? 0) + textWidth("+0.500 ± 0.196")).toBeLessThanOrEqual(620);
    expect((down?.textX ?? 0) - textWidth("−0.500 ± 0.196")).toBeGreaterThanOrEqual(geometry.labelWidth - 4);
  });
});

describe("vertical axes", () => {
  it("have room for the whole of their labels, however long these are", () => {
    for (const scale of [1e-6, 0.4, 25_000, 3e9]) {
      const points = [-3, -2, -1].map((t) => ({ t, older: t * scale, newer: -t * scale }));
      const figures = [
        eventBars(
          events(4, (t) => t * scale),
          text,
          500,
        ),
        pruningCurve(points, -2, 0, 500),
      ];
      for (const { ticks, left } of figures)
        for (const each of ticks) expect(left - 6 - textWidth(each.label)).toBeGreaterThanOrEqual(0);
    }
  });
});

describe("bars of events", () => {
  it("stand in order of time with the older ones apart, at the left", () => {
    const older = effectsOf(level(attribution("pruned", 0.1, 0, { first_t: -9, last_t: -2 })), 0);
    const geometry = eventBars([...events(2, () => 0.2), ...older], text, 500);
    expect(geometry.columns.map((each) => each.effect.t)).toEqual([null, -1, 0]);
    expect(geometry.divider).not.toBeNull();
    expect(geometry.labels.map((each) => each.label)).toEqual(["8 older", "−1", "latest"]);
  });

  it("have labels that do not lie over each other, for 1 to 286 events on any width", () => {
    for (const count of [1, 2, 7, 12, 40, 100, 286])
      for (const place of [300, 560, 1200]) {
        const older = effectsOf(level(attribution("pruned", 0.1, 0, { first_t: -999, last_t: -count })), 0);
        const geometry = eventBars([...older, ...events(count, (t) => Math.sin(t))], text, place);
        expect(overlaps(geometry.labels)).toEqual([]);
        expect(geometry.labels.at(-1)?.label).toBe("latest");
        expect(geometry.columns).toHaveLength(count + 1);
      }
  });

  it("are never cut off at the top or bottom", () => {
    const geometry = eventBars(
      events(5, (t) => (t % 2 ? -4 : 9)),
      text,
      500,
    );
    for (const each of geometry.columns) {
      expect(each.y).toBeGreaterThanOrEqual(geometry.plotTop);
      expect(each.y + each.height).toBeLessThanOrEqual(geometry.plotBottom + 1e-9);
      expect(each.whisker?.to).toBeGreaterThanOrEqual(geometry.plotTop);
    }
  });
});

describe("the pruning curve", () => {
  const document = testDocument();
  const points = curvePoints(document.explanation.pruning?.curve ?? [], 0, 0.7);

  it("has both parts, which add up to the whole", () => {
    expect(points).toEqual([
      { t: -2, older: 0.01, newer: 0.69 },
      { t: -1, older: 0.3, newer: 0.39999999999999997 },
    ]);
  });

  it("marks the cut where it was made", () => {
    const geometry = pruningCurve(points, -2, 0.025, 500);
    expect(geometry.cut).toBe(geometry.points[0]?.x);
    expect(pruningCurve(points, -5, 0.025, 500).cut).toBeNull();
    expect(geometry.older.startsWith(`M${geometry.points[0]?.x}`)).toBe(true);
  });

  it("shows the latest 50 cuts, and more only if the cut lies further back", () => {
    const long = Array.from({ length: 285 }, (_, index) => ({ t: -285 + index, older: 0, newer: 1 }));
    expect(latestCuts(long, -9)).toHaveLength(50);
    expect(latestCuts(long, -120)).toHaveLength(122);
    for (const width of [300, 560, 1200]) {
      expect(overlaps(pruningCurve(long, -9, 0.025, width).labels)).toEqual([]);
      expect(overlaps(pruningCurve(latestCuts(long, -9), -9, 0.025, width).labels)).toEqual([]);
    }
  });

  it("keeps values below −0.3 and a wide tolerance inside", () => {
    const geometry = pruningCurve(
      [
        { t: -2, older: -0.8, newer: 1.5 },
        { t: -1, older: 0.2, newer: 0.5 },
      ],
      -2,
      2,
      500,
    );
    expect(geometry.points[0]?.older).toBeLessThanOrEqual(geometry.plotBottom);
    expect(geometry.tolerance?.top).toBeGreaterThanOrEqual(geometry.plotTop);
    expect(geometry.tolerance?.bottom).toBeLessThanOrEqual(geometry.plotBottom);
  });
});

describe("the map of single facts", () => {
  const effects = effectsOf(
    level(
      attribution("pruned", 0.01, 0.001, { first_t: -9, last_t: -3 }),
      attribution("cell", 0.2, 0.01, { t: 0, feature: "amount" }),
      attribution("cell", 0.1, 0.01, { t: -2, feature: "amount" }),
      attribution("cell", 0.4, 0.01, { t: 0, feature: "device" }),
      attribution("event_rest", 0.05, 0.01, { t: 0 }),
      attribution("feature_rest", -0.03, 0.01, { feature: "device" }),
      attribution("other", 0.02, 0.01),
    ),
    0,
  );
  const map = cellMap(effects);

  it("has the strongest feature first, events in order of time, and the groups at the sides", () => {
    expect(map.rows.map((each) => each.feature)).toEqual(["device", "amount", null]);
    expect(map.columns.map((each) => each.t)).toEqual([null, -2, 0]);
  });

  it("shows every number once, the older events and all groups among them", () => {
    const geometry = mapGeometry(map, new Phrases(testDocument().explanation), 500);
    expect(geometry.squares.map((each) => each.key).sort()).toEqual(effects.map((each) => each.key).sort());
    expect(geometry.squares.filter((each) => each.name).map((each) => each.name)).toEqual([
      "7 older events together",
      "All other facts",
    ]);
    expect(geometry.empty).toHaveLength(3 * 3 - 5);
  });

  it("shows the older events also where there is no single fact", () => {
    const only = cellMap(effects.filter((each) => each.kind === "pruned"));
    const geometry = mapGeometry(only, new Phrases(testDocument().explanation), 500);
    expect(geometry.squares).toHaveLength(1);
    expect(geometry.squares[0]?.y).toBeGreaterThanOrEqual(0);
  });

  it("leaves room for numbers however many events there are", () => {
    const many = Array.from({ length: 60 }, (_, t) =>
      attribution("cell", 0.1, 0, { t: -t, feature: "amount" }),
    );
    const geometry = mapGeometry(
      cellMap(effectsOf(level(...many), 0)),
      new Phrases(testDocument().explanation),
      500,
    );
    expect(Math.min(...geometry.squares.map((each) => each.width))).toBeGreaterThanOrEqual(
      textWidth("−0.005 ±"),
    );
  });
});

describe("small bars", () => {
  it("share one domain with their whiskers", () => {
    const effects = [
      { value: 1, low: 0.5, high: 1.5 },
      { value: -0.5, low: -0.5, high: -0.5 },
    ];
    const domain = commonDomain(effects);
    expect(domain).toEqual([-0.5, 1.5]);
    const [up, down] = effects.map((each) => microBar(each, domain, 102));
    expect(up).toMatchObject({ x: 26, width: 50, zero: 26, positive: true, whisker: { from: 51, to: 101 } });
    expect(down).toMatchObject({ x: 1, width: 25, whisker: null });
  });
});
