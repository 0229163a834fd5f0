import { describe, expect, it } from "vitest";
import type { CohortDescription } from "../api/types";
import { decodeState, encodeState } from "../app/urlState";
import { defaultProgress, ordered, readProgress, specOf, writeProgress } from "./progressState";

const cohort = {
  variants: ["checkpoint=1", "checkpoint=600", "checkpoint=200", "checkpoint=50"],
  labels: { left: [{ value: "yes", count: 3 }] },
  eventWeights: true,
  suggested: { label: "left", positive: "yes", variant: "checkpoint=600", threshold: 0.5 },
} as unknown as CohortDescription;

describe("the state of the learning progress", () => {
  it("begins with three checkpoints in their order, the paper's ranges and the model's own weights", () => {
    const state = defaultProgress(cohort);
    expect(ordered(cohort.variants).at(-1)).toBe("checkpoint=600");
    expect(state.variants).toEqual(["checkpoint=1", "checkpoint=200", "checkpoint=600"]);
    expect(state.ranges).toEqual({ high: [0.6, 1], low: [0, 0.2] });
    expect(specOf(state)).toMatchObject({ variants: state.variants, weight: "model" });
  });

  it("comes back from the address as it was", () => {
    const usual = defaultProgress(cohort);
    const changed = {
      ...usual,
      grid: { ...usual.grid, weight: "attribution" as const, pair: { primary: "a", secondary: "b" } },
      variants: ["checkpoint=1", "checkpoint=50"],
      ranges: { high: [0.7, 1] as [number, number], low: [0, 0.1] as [number, number] },
      style: "overlay" as const,
      measure: "count" as const,
    };
    for (const state of [usual, changed]) {
      const address = encodeState(writeProgress(state, usual));
      expect(readProgress(decodeState(address), cohort)).toEqual(state);
    }
    expect(writeProgress(usual, usual)).toEqual({});
  });

  it("is the usual one where an address makes no sense", () => {
    const usual = defaultProgress(cohort);
    const nonsense = { variants: ["x"], ranges: { high: [2, 1], low: 3 }, style: "pie", measure: 4 };
    expect(readProgress(nonsense, cohort)).toEqual(usual);
  });
});
