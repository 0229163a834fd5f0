import { describe, expect, it } from "vitest";
import {
  type CohortChoices,
  defaultState,
  readState,
  selectionOf,
  specOf,
  writeState,
  type GridState,
} from "./gridState";
import { shareOf, weightOf } from "./selection";
import { syntheticTable } from "./synthetic";
import { quarters } from "./timeFocus";

const cohort: CohortChoices = {
  variants: ["epoch 1", "epoch 600"],
  labels: { outcome: [{ value: "churn", count: 40 }] },
  eventWeights: true,
  suggested: { label: "outcome", positive: "churn", variant: "epoch 600", threshold: 0.5 },
};
const usual = defaultState(cohort);

describe("the state in the address", () => {
  it("comes back as it was, part by part and all together", () => {
    const changed: GridState = {
      variant: "epoch 1",
      weight: "model",
      class: { kind: "decision", threshold: 0.3 },
      bins: { kind: "width", count: 5 },
      length: 12,
      range: [0.6, 1],
      times: [-2, 0],
      attributes: ["b", "a"],
      selector: "both",
      colours: "paper",
      pair: { primary: "a", secondary: "b" },
      view: { encoding: "overlay", annotations: [{ name: "peak" }] },
    };
    const back = (state: GridState): GridState =>
      readState(JSON.parse(JSON.stringify(writeState(state, usual))), cohort);
    expect(back(changed)).toEqual(changed);
    for (const name of Object.keys(changed)) {
      const one = { ...usual, [name]: changed[name as keyof GridState] };
      expect(back(one)).toEqual(one);
    }
  });

  it("is empty for what is usual", () => {
    expect(writeState(usual, usual)).toEqual({});
    expect(readState({}, cohort)).toEqual(usual);
  });

  it("falls back to the usual for anything that cannot be", () => {
    const wrong = {
      variants: ["epoch 7"],
      weight: 3,
      class: { kind: "label", key: "outcome", positive: "nobody" },
      bins: { kind: "quantile", count: 1e9 },
      length: -1,
      range: [0.7, 0.2],
      times: [-0.5, 0],
      attributes: [1],
      selector: "all",
      colours: null,
      pair: ["a", "b"],
      encoding: 3,
      annotations: "x",
    };
    expect(readState(wrong, cohort)).toEqual(usual);
    expect(
      readState({ range: ["0", "1"], times: [0], class: { kind: "decision", threshold: "1" } }, cohort),
    ).toEqual(usual);
  });

  it("asks for no weights of the model where the cohort has none", () => {
    expect(readState({ weight: "model" }, { ...cohort, eventWeights: false }).weight).toBe("attribution");
  });
});

describe("the selection", () => {
  const table = syntheticTable({ attributes: 3, levels: 3, steps: 12, sequences: 5, seed: 1 });

  it("has the table's own indexes, steps and weights", () => {
    const state: GridState = {
      ...usual,
      attributes: ["attribute_2", "gone", "attribute_0"],
      range: [0.2, 0.6],
      times: [-3, -1],
    };
    expect(selectionOf(state, table)).toEqual({
      range: [13107, 39321],
      steps: [8, 10],
      attributes: [2, 0],
      selector: "difference",
      colours: "console",
    });
    expect(selectionOf(usual, table)).toMatchObject({ steps: [0, 11], attributes: [0, 1, 2] });
    expect(selectionOf({ ...usual, times: [-60, -40] }, table).steps).toEqual([0, 0]);
  });

  it("is asked for with one variant", () => {
    expect(specOf(usual)).toMatchObject({ variants: ["epoch 600"], steps: 64 });
  });
});

describe("weights", () => {
  it("survive the way to a share and back", () => {
    for (let weight = 0; weight <= 65535; weight++) expect(weightOf(shareOf(weight))).toBe(weight);
    expect([weightOf(-1), weightOf(2)]).toEqual([0, 65535]);
  });
});

describe("quarters", () => {
  it("cover all steps once", () => {
    for (let steps = 4; steps < 70; steps++) {
      const times = quarters(steps).flatMap(({ times: [first, last] }) =>
        Array.from({ length: last - first + 1 }, (_, k) => first + k),
      );
      expect(times).toEqual(Array.from({ length: steps }, (_, k) => k - steps + 1));
    }
    expect(quarters(3)).toEqual([]);
    expect(quarters(12).map(({ times }) => times)).toEqual([
      [-11, -9],
      [-8, -6],
      [-5, -3],
      [-2, 0],
    ]);
  });

  it("takes the threshold 0 as one, and a label rather than a decision where there is none", () => {
    const suggested = { label: "", positive: "", variant: "", threshold: 0 };
    const labels = { region: [{ value: "north", count: 3 }] };
    const none = { ...suggested, threshold: null };
    expect(defaultState({ ...cohort, suggested }).class).toEqual({ kind: "decision", threshold: 0 });
    expect(defaultState({ ...cohort, labels, suggested: none }).class).toEqual({
      kind: "label",
      key: "region",
      positive: "north",
    });
  });
});
