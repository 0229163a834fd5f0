import { describe, expect, it } from "vitest";
import { refusedValue, saidValue, valueWords } from "./edits";
import { testDocument } from "./testDocument";

describe("values in words", () => {
  it("are the caller's, with the model's beside it where they differ", () => {
    expect(valueWords({ text: "3,087.84 EUR", modelText: "3,087.81 EUR" })).toBe(
      "3,087.84 EUR, to the model 3,087.81 EUR",
    );
    expect(valueWords({ text: "12", modelText: "12" })).toBe("12");
    expect(valueWords(undefined)).toBe("");
  });

  it("are found for a cell", () => {
    const document = testDocument();
    const value = document.history.find((each) => each.t === 0)?.values["amount"];
    if (value) [value.text, value.modelText] = ["900.04 EUR", "900 EUR"];
    expect(saidValue(document, 0, "amount")).toBe("900.04 EUR, to the model 900 EUR");
    expect(saidValue(document, -99, "amount")).toBe("");
  });

  it("that the model cannot have are refused in the words of the page", () => {
    expect(refusedValue(testDocument(), { t: 0, feature: "amount", to: -5 })).toMatch(/^Amount cannot be −5/);
  });
});
