import { describe, expect, it } from "vitest";
import { lines, withLabels } from "./lines";
import { domainOf } from "./scales";
import { binTitle, edgeWords, hasCheckpoints, periodWords, variantWords } from "./words";

const table = {
  columns: [
    { name: "feature", text: "feature" },
    { name: "mean", text: "mean" },
  ],
  rows: [
    ["amount", -0.2],
    ["age", null],
  ],
  notes: [],
};

describe("reports", () => {
  it("are read by the names of their columns", () => {
    expect(lines(table)).toEqual([
      { feature: "amount", mean: -0.2 },
      { feature: "age", mean: null },
    ]);
    expect(lines(undefined)).toEqual([]);
  });

  it("call features as people do", () => {
    expect(withLabels(table, new Map([["age", "Client's age"]])).rows).toEqual([
      ["amount", -0.2],
      ["Client's age", null],
    ]);
  });

  it("have scales that show 0 and every interval", () => {
    expect(domainOf(lines(table), ["mean"], true)).toEqual([-0.2, 0.2]);
    expect(domainOf(lines(table), ["mean"], false)).toEqual([-0.2, 0]);
    expect(domainOf([], ["mean"], true)).toEqual([-1, 1]);
  });
});

describe("words", () => {
  it("say what is behind a mark", () => {
    expect(binTitle("Amount", 0.02, 0.04)).toBe("Amount: effects from +0.020 to +0.040");
    expect(binTitle("Amount", null, 0.04)).toBe("Amount: effects below +0.040");
    expect(binTitle("Amount", null, null)).toBe("Amount");
  });

  it("say which variant and which period", () => {
    expect(variantWords("checkpoint=200,seed=3")).toBe("checkpoint 200, seed 3");
    expect([0, 0.00012345, 0.65, -2].map(edgeWords)).toEqual(["0", "0.00012", "0.650", "−2"]);
    expect(hasCheckpoints(["checkpoint=1", "checkpoint=2"])).toBe(true);
    expect(hasCheckpoints(["seed=1", "seed=2"])).toBe(false);
    expect(variantWords("")).toBe("all sequences");
    expect(periodWords("2026-01")).toBe("2026-01");
    expect(periodWords("2026-01-01T12:00:00/2026-02-01T12:00:00")).toBe("1 Jan 2026 to 1 Feb 2026");
  });
});
