import { describe, expect, it } from "vitest";
import { coverage, unevenSteps } from "./coverage";
import { syntheticTable } from "./synthetic";

describe("coverage", () => {
  const table = syntheticTable({ attributes: 2, levels: 3, steps: 6, sequences: 50, seed: 2 });

  it("is that of all sequences where none is short", () => {
    const { positives, negatives } = table.header.class;
    for (const each of coverage(table))
      expect([each.positive, each.negative]).toEqual([positives, negatives]);
    expect(unevenSteps(coverage(table), table.header.class)).toEqual([]);
  });

  it("tells the steps that one class often does not reach, the most different first", () => {
    const sizes = { positives: 100, negatives: 1000 };
    const steps = [
      { step: 0, positive: 20, negative: 900 },
      { step: 1, positive: 90, negative: 1000 },
      { step: 2, positive: 70, negative: 900 },
    ];
    expect(unevenSteps(steps, sizes).map(({ step }) => step)).toEqual([0, 2]);
    expect(unevenSteps(steps, { positives: 0, negatives: 9 })).toEqual([]);
  });
});
