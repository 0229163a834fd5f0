import { describe, expect, it } from "vitest";
import { shortLevel, wrapped } from "./labels";
import { moved } from "./focus";
import {
  attributeWords,
  cellNumber,
  cellWords,
  levelWords,
  numberUnit,
  signedText,
  valueText,
} from "./words";

const words = { name: "outcome", positive: "churn", negative: "loyal", positives: 2, negatives: 3 };
const usage = {
  name: "usage",
  label: "Usage",
  unit: "EUR",
  kind: "numeric" as const,
  levels: ["0 – 10", "10 – 20,000"],
  edges: [-0.5, 10, 20000],
};

describe("the words of the grid", () => {
  it("tell a cell in one sentence", () => {
    const facts = {
      levels: ["Usage 0", "Support 3"],
      measure: "saliency" as const,
      value: 0.0123,
      events: [1, 12] as const,
    };
    expect(cellWords(facts, "difference", words)).toBe(
      "Usage 0 with Support 3: weight per sequence (churn minus loyal) +0.0123, more in churn; 1 event of churn, 12 of loyal",
    );
    expect(cellWords({ ...facts, value: -0.5 }, "difference", words)).toContain("−0.5, more in loyal");
    expect(cellWords(facts, "both", words)).toContain("(churn and loyal together) 0.0123;");
    expect(cellWords({ ...facts, measure: "variance" }, "negative", words)).toContain("(only loyal)");
  });

  it("tell attributes with kind and range or levels", () => {
    expect(attributeWords(usage)).toBe("number, −0.5 to 20,000 EUR, 2 bins");
    const kind = { ...usage, kind: "categorical" as const, unit: "", levels: ["a", "b", "c", "d", "e"] };
    expect(attributeWords(kind)).toBe("categories: a, b, c, …, e (5)");
    expect(attributeWords({ ...kind, kind: "ordinal", levels: ["low", "high"] })).toBe(
      "ordered levels: low, high",
    );
    expect(levelWords(usage, 1)).toBe("Usage 10 – 20,000 EUR");
    expect([shortLevel(usage, 0), shortLevel(usage, 1), shortLevel(kind, 2)]).toEqual(["−0.5", "10", "c"]);
  });

  it("write numbers of any size in few signs", () => {
    expect([0, 0.012345, -1.5, 12345.6, 0.0000012, -3e-12].map(valueText)).toEqual([
      "0",
      "0.0123",
      "−1.5",
      "12,346",
      "1.2 × 10⁻⁶",
      "−3 × 10⁻¹²",
    ]);
    expect([signedText(2), signedText(-2), signedText(0)]).toEqual(["+2", "−2", "0"]);
  });

  it("write the numbers of a matrix in one unit", () => {
    const unit = numberUnit(0.0231);
    expect(unit.text).toBe("in thousandths");
    expect([0.0231, -0.0042, 0.00001, 0].map((x) => cellNumber(x, unit, "difference"))).toEqual([
      "+23",
      "−4.2",
      "+0.0",
      "0",
    ]);
    expect(cellNumber(0.0042, unit, "both")).toBe("4.2");
    expect([numberUnit(3), numberUnit(0), numberUnit(1e-12)].map(({ factor }) => factor)).toEqual([
      1, 1, 1e9,
    ]);
  });

  it("wrap names into the lines that fit", () => {
    expect(wrapped("Usage level one", 11, 2)).toEqual(["Usage level", "one"]);
    expect(wrapped("Usage level one", 6, 2)).toEqual(["Usage", "level…"]);
    expect(wrapped("Unbreakable", 5, 3)).toEqual(["Unbr…"]);
  });
});

describe("the focus", () => {
  it("moves with arrows, Home, End, and stays inside", () => {
    const at = { column: 1, row: 1 };
    expect(moved(at, "ArrowLeft", 2, 2)).toEqual({ column: 0, row: 1 });
    expect(moved(at, "End", 2, 2)).toEqual({ column: 2, row: 1 });
    expect(moved({ column: 2, row: 2 }, "ArrowDown", 2, 2)).toEqual({ column: 2, row: 2 });
    expect(moved(at, "PageUp", 2, 2)).toEqual({ column: 1, row: 0 });
    expect(moved(at, "x", 2, 2)).toBeNull();
  });
});
