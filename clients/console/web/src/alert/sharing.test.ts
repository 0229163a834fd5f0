import { describe, expect, it } from "vitest";
import { pairs, subtractable } from "./comparison";
import { comparisonAddress, readSide, sideText, type Side } from "./comparisonAddress";
import { editableFeatures, editText, withEdit, withoutEdit } from "./edits";
import { fileName } from "./fileName";
import { redacted } from "./redaction";
import { testDocument } from "./testDocument";

describe("leaving names out", () => {
  const text = JSON.stringify(redacted(testDocument()));

  it("leaves out everything that a caller or a person wrote, ids and times of events", () => {
    for (const secret of [
      "account-7",
      "known thief",
      "Ms Example",
      "event-0",
      "event--1",
      "anna",
      "17:34",
      '"abc"',
    ])
      expect(text).not.toContain(secret);
  });

  it("keeps features, numbers and the words that the model knows", () => {
    const document = redacted(testDocument());
    expect(document.history[2]?.values["amount"]?.text).toBe("899.50 EUR");
    expect(document.history[0]?.values["device"]?.text).toBe("own phone");
    expect(document.explanation.reasons[0]?.text).toBe("Amount at the latest event");
    expect(document.explanation.event_level).toEqual(testDocument().explanation.event_level);
  });

  it("leaves out words that only the caller knows", () => {
    expect(redacted(testDocument()).history[0]?.values["country"]?.text).toBe("left out");
  });
});

describe("comparing", () => {
  it("lines up players and subtracts them; variances add up", () => {
    const [left, right] = [testDocument(), testDocument()];
    const amount = right.explanation.feature_level?.attributions[2];
    if (amount) [amount.values, amount.standard_errors] = [[0.1], [0.03]];
    const found = pairs(left, right, "feature");
    expect(found.map((each) => each.player.feature)).toEqual(["amount", "device", null, "country"]);
    expect(found[0]?.difference?.value).toBeCloseTo(-0.4, 12);
    expect(found[0]?.difference?.standardError).toBeCloseTo(Math.sqrt(0.01 ** 2 + 0.03 ** 2), 12);
  });

  it("has events newest first, the older ones at the end", () => {
    const found = pairs(testDocument(), testDocument(), "event");
    expect(found.map((each) => each.player.t)).toEqual([0, -1, null]);
  });

  it("gives no difference where one side has no such player", () => {
    const right = testDocument();
    right.explanation.event_level?.attributions.pop();
    const latest = pairs(testDocument(), right, "event").find((each) => each.player.t === 0);
    expect(latest).toMatchObject({ right: null, difference: null });
  });

  it("subtracts nothing for another score, scale or unit", () => {
    const scale = testDocument();
    scale.explanation.options.link = "logit";
    const unit = testDocument();
    unit.explanation.feature_info = [
      { name: "amount", label: "Amount", unit: "USD", description: "", static: false },
    ];
    expect(subtractable(testDocument(), testDocument()).ok).toBe(true);
    expect(subtractable(testDocument(), scale).ok).toBe(false);
    expect(subtractable(testDocument(), unit).why).toContain("Amount");
    expect(pairs(testDocument(), scale, "event").every((each) => each.difference === null)).toBe(true);
  });
});

describe("the address of a comparison", () => {
  const sides: Side[] = [
    { kind: "alert", id: "abc", target: 0 },
    { kind: "alert", id: "abc", target: 2 },
    { kind: "row", cohort: "a/b", row: 7, variant: "checkpoint=1" },
    { kind: "dry", body: { model: "models/m/versions/1", edits: [{ t: -1, feature: "amount", to: 3.5 }] } },
    { kind: "dry", body: { background: "backgrounds/b", options: { pruning_tolerance: 0 } } },
  ];

  it("comes back as it was", () => {
    for (const side of sides) {
      const query = new URL(comparisonAddress(side, side), "http://x").searchParams;
      expect(readSide(query.get("right"))).toEqual(side);
    }
  });

  it("is null for what is no side, and drops edits that are none", () => {
    for (const text of [null, "", "alert:", "alert:a/x", "row:a", "row:a/x/", "other:1"])
      expect(readSide(text)).toBeNull();
    expect(readSide("dry:edits=[1,null,{}]")).toEqual({ kind: "dry", body: { edits: [] } });
    expect(readSide("dry:edits={")).toEqual({ kind: "dry", body: { edits: [] } });
    expect(sideText({ kind: "dry", body: {} })).toBe("dry:");
  });
});

describe("changed values", () => {
  it("are at most one for each cell", () => {
    const first = withEdit([], { t: 0, feature: "amount", to: 1 });
    const both = withEdit(first, { t: -1, feature: "amount", to: 2 });
    expect(withEdit(both, { t: 0, feature: "amount", to: 3 })).toEqual([
      { t: 0, feature: "amount", to: 3 },
      { t: -1, feature: "amount", to: 2 },
    ]);
    expect(withoutEdit(both, { t: 0, feature: "amount" })).toHaveLength(1);
  });

  it("are written with their unit, and what no client can change stands last", () => {
    expect(editText(testDocument(), { t: 0, feature: "amount", to: 12 })).toBe("12 EUR");
    expect(editText(testDocument(), { t: 0, feature: "device", to: "new phone" })).toBe("new phone");
    expect(editableFeatures(testDocument()).at(-1)?.name).toBe("device");
  });
});

describe("names of files", () => {
  it("have only what every file system takes", () => {
    expect(fileName("alert", "a/b: ü\\c")).toBe("alert-a-b-ü-c");
  });
});
