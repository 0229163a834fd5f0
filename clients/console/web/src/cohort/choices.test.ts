import { describe, expect, it } from "vitest";
import type { CohortDescription } from "../api/types";
import { choicesOf, defaultChoices, earlierFirst, halves } from "./choices";

const feature = (name: string) => ({ name, label: name, unit: "", description: "", static: false });
const cohort: CohortDescription = {
  name: "payments",
  title: "payments",
  sequences: 10,
  explained: 10,
  variants: ["checkpoint=1", "checkpoint=2"],
  target: "fraud",
  model: "m",
  from: "2026-01-01T00:00:00+00:00",
  to: "2026-01-03T00:00:00+00:00",
  problem: "",
  labels: {
    outcome: [
      { value: "genuine", count: 8 },
      { value: "fraud", count: 2 },
    ],
    month: [
      { value: "1", count: 5 },
      { value: "2", count: 5 },
    ],
  },
  features: [feature("amount"), feature("client_age")],
  length: { min: 1, median: 2, max: 3 },
  statuses: [],
  eventWeights: false,
  prunedShare: 0,
  levels: ["event", "feature"],
  values: true,
  firstPositive: true,
  suggested: { label: "outcome", positive: "fraud", variant: "checkpoint=2", threshold: 0.4 },
};

describe("what a page on a cohort begins with", () => {
  it("is the suggested variant and class, the age of clients, and the two halves of the time", () => {
    const found = defaultChoices(cohort);
    expect(found).toMatchObject({
      variant: "checkpoint=2",
      otherVariant: "checkpoint=1",
      by: "feature:client_age",
      outcome: "outcome=fraud",
      threshold: 0.4,
      periodLabel: "",
      before: "2026-01-01T00:00:00/2026-01-02T00:00:00",
      after: "2026-01-02T00:00:00/2026-01-03T00:00:01",
    });
  });

  it("is no period where rows have no times, and a label as group where rows have no values", () => {
    const found = defaultChoices({ ...cohort, from: null, to: null, values: false });
    expect(found).toMatchObject({ periodLabel: "", before: "", after: "", by: "label:month" });
  });

  it("takes from an address only what is of the right kind", () => {
    const defaults = defaultChoices(cohort);
    const found = choicesOf({ variant: "checkpoint=1", threshold: "high", dots: 1, evil: "x" }, defaults);
    expect(found).toEqual({ ...defaults, variant: "checkpoint=1" });
    expect(choicesOf({ threshold: Infinity }, defaults).threshold).toBe(0.4);
  });

  it("compares from the earlier checkpoint to the later one", () => {
    const both = ["checkpoint=9", "checkpoint=200"];
    expect(earlierFirst("checkpoint=200", "checkpoint=9")).toEqual(both);
    expect(earlierFirst("checkpoint=9", "checkpoint=200")).toEqual(both);
  });

  it("has no halves of one moment", () => {
    expect(halves("2026-01-01T00:00:00+00:00", "2026-01-01T00:00:00+00:00")).toEqual(["", ""]);
  });
});
