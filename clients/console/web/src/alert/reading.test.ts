import { describe, expect, it } from "vitest";
import { computedFacts, decisionWords, headline, labelFacts, modelName, thresholdText } from "./alertFacts";
import { answer } from "./answer";
import { latestDecision } from "./decisions";
import { effectsOf, spansZero } from "./effects";
import { eventTime, timeText } from "./eventTime";
import { nearMissNote } from "./figureNotes";
import { moved } from "./gridFocus";
import { historyColumns, historyRows } from "./historyTable";
import { Phrases } from "./phrases";
import { isHighlighted, shownReasons } from "./reasons";
import { standingSentence, standingText } from "./standings";
import { attribution, level, reason, testDocument } from "./testDocument";

describe("intervals", () => {
  it("are 1.96 standard errors wide on either side", () => {
    const [effect] = effectsOf(level(attribution("event", 0.1, 0.05, { t: 0 })), 0);
    expect(effect?.low).toBeCloseTo(0.002, 12);
    expect(effect?.high).toBeCloseTo(0.198, 12);
    expect(spansZero({ low: -0.1, high: 0.1 })).toBe(true);
    expect(spansZero({ low: 0.002, high: 0.198 })).toBe(false);
    expect(spansZero({ low: -0.2, high: -0.1 })).toBe(false);
  });
});

describe("reasons", () => {
  it("are at most four, of this target, and none spans 0", () => {
    const clear = [1, 2, 3, 4, 5].map((rank) => reason(0.5 / rank, 0.001, { rank }));
    const unclear = reason(0.01, 0.01, { rank: 1 });
    const other = reason(0.9, 0.001, { target: "churn" });
    const shown = shownReasons([other, unclear, ...clear], "takeover");
    expect(shown.map((each) => each.reason.rank)).toEqual([1, 2, 3, 4]);
  });

  it("with a shared rank say so", () => {
    const found = [reason(0.3, 0.01), reason(0.21, 0.01, { rank: 2 })];
    const shown = shownReasons([...found, reason(0.2, 0.01, { rank: 2, tied: true })], "takeover");
    expect(shown.map((each) => each.rank)).toEqual(["1", "2=", "2="]);
  });

  it("point at a cell, a row or a column", () => {
    expect(isHighlighted({ t: 0, feature: "amount" }, 0, "amount")).toBe(true);
    expect(isHighlighted({ t: 0, feature: "amount" }, -1, "amount")).toBe(false);
    expect(isHighlighted({ t: null, feature: "amount" }, -1, "amount")).toBe(true);
    expect(isHighlighted({ t: -1, feature: null }, -1, "device")).toBe(true);
    expect(isHighlighted(null, 0, "amount")).toBe(false);
  });
});

describe("the history", () => {
  it("has the newest event first and the pruned ones apart", () => {
    const rows = historyRows(testDocument());
    expect(rows.events.map((each) => each.t)).toEqual([0, -1]);
    expect(rows.older.map((each) => each.t)).toEqual([-2]);
    expect(rows.together?.value).toBe(0.05);
  });

  it("has features by their effect, and folds those that never change", () => {
    const columns = historyColumns(testDocument());
    expect(columns.shown).toEqual(["amount", "device"]);
    expect(columns.constant).toEqual([{ feature: "country", text: "home" }]);
  });

  it("never folds a feature that a reason or an effect is about", () => {
    const document = testDocument();
    document.explanation.reasons = [reason(0.4, 0.01, { feature: "country" })];
    expect(historyColumns(document).shown).toContain("country");
    const other = testDocument();
    const value = other.history[2]?.values["country"];
    if (value) [value.effect, value.effectError] = [0.1, 0];
    expect(historyColumns(other).shown).toContain("country");
  });

  it("knows the effect of the older events without an event level", () => {
    const document = testDocument();
    document.explanation.event_level = null;
    expect(historyRows(document).together).toMatchObject({ value: 0.05, firstT: -2, lastT: -2 });
  });

  it("is walked with the arrow keys, inside its borders", () => {
    const size = { rows: 3, columns: 2 };
    expect(moved({ row: 0, column: 0 }, "ArrowDown", size)).toEqual({ row: 1, column: 0 });
    expect(moved({ row: 0, column: 0 }, "ArrowUp", size)).toEqual({ row: 0, column: 0 });
    expect(moved({ row: 1, column: 0 }, "End", size)).toEqual({ row: 1, column: 1 });
    expect(moved({ row: 0, column: 1 }, "PageDown", size)).toEqual({ row: 2, column: 1 });
    expect(moved({ row: 0, column: 0 }, "x", size)).toBeNull();
  });
});

describe("standings", () => {
  it("are a percentage among many, and a rank among few", () => {
    expect(standingText({ percent: 97.4, rank: 45, n: 46 })).toBe("97 %");
    expect(standingText({ percent: 20, rank: 3, n: 11 })).toBe("3rd of 12");
    expect(standingText({ percent: 2.2, rank: null, n: 46 })).toBe("2 %");
    expect(standingText({ percent: 99.7, rank: 3023, n: 3033 })).toBe("> 99 %");
    expect(standingText({ percent: 0.4, rank: 3, n: 3033 })).toBe("< 1 %");
  });

  it("say among what", () => {
    expect(standingSentence({ percent: 97, rank: 45, n: 46 }, "46 events")).toBe(
      "Higher than 97 % of 46 events (equal ones count half).",
    );
    expect(standingSentence({ percent: 2, rank: null, n: 46 }, "46 events")).toBe(
      "2 % of 46 events have this value.",
    );
  });
});

describe("phrases", () => {
  const phrases = new Phrases(testDocument().explanation);

  it("write all effects with the decimals of the largest", () => {
    expect(phrases.signed(0.5)).toBe("+0.500");
    expect(phrases.signed(-0.0123)).toBe("−0.012");
    expect(phrases.margin(0.005)).toBe("± 0.010");
    expect(phrases.margin(0)).toBe("exact");
    expect(phrases.raised({ value: -0.25 })).toBe("lowered the score by 0.250");
  });

  it("say that effects on another scale are log-odds", () => {
    const { explanation } = testDocument();
    const logit = new Phrases({ ...explanation, options: { ...explanation.options, link: "logit" } });
    expect(logit.raised({ value: 0.25 })).toBe("raised the log-odds by 0.250");
    expect(logit.raised({ value: 0 })).toBe("did not change the score");
  });

  it("keep the digits of small effects and drop those of large ones", () => {
    const scaled = (value: number): Phrases =>
      new Phrases({ feature_info: [], event_level: level(attribution("event", value, 0, { t: 0 })) });
    expect(scaled(0.00052).signed(0.00052)).toBe("+0.000520");
    expect(scaled(1234).signed(1234)).toBe("+1,234");
  });

  it("name every kind of player", () => {
    const [older] = effectsOf(level(attribution("pruned", 0, 0, { first_t: -46, last_t: -3 })), 0);
    const [cell] = effectsOf(level(attribution("cell", 0, 0, { t: -2, feature: "amount" })), 0);
    const [block] = effectsOf(level(attribution("history", 0, 0, { first_t: -9, last_t: -4 })), 0);
    expect(older && phrases.player(older)).toBe("44 older events together");
    expect(cell && phrases.player(cell)).toBe("Amount, 2 before the latest");
    expect(block && phrases.player(block)).toBe("Events 4 to 9 before the latest");
  });
});

describe("the head", () => {
  it("says what there is, and what is not recorded", () => {
    const document = testDocument();
    document.explanation.requested_by = "";
    const facts = new Map(computedFacts(document).map((each) => [each.name, each.text]));
    expect(facts.get("Asked by")).toBe("not recorded");
    expect(facts.get("Model")).toBe("m, version 2");
    expect(facts.get("Accuracy")).toBe("events exact");
    expect(headline(document)).toBe("account-7");
    expect(modelName("")).toBe("sent with the request");
  });

  it("says where the threshold comes from", () => {
    expect(thresholdText({ value: 0.8465, source: "label" })).toBe(
      "threshold 0.8465 (sent with the request)",
    );
    expect(thresholdText({ value: 0.5, source: "default" })).toBe("threshold 0.5 (the default)");
    expect(thresholdText({ value: null, source: "none" })).toBe("no threshold");
  });

  it("gives the answer in two sentences", () => {
    const document = testDocument();
    expect(answer(document, new Phrases(document.explanation))).toBe(
      "The score went from 0.100 (without information) to 0.800. The latest event raised the score by 0.400, more than any other.",
    );
  });
});

describe("times", () => {
  it("stay in the zone of the event", () => {
    expect(timeText("2026-04-02T17:34:43+00:00")).toBe("2026-04-02 17:34 UTC");
    expect(timeText("2026-04-02T17:34:43.5+02:00")).toBe("2026-04-02 17:34 UTC+02:00");
    expect(eventTime("yesterday")).toBeNull();
    expect(timeText(null)).toBe("");
  });
});

describe("decisions", () => {
  it("are those that decide; the latest counts", () => {
    const label = { note: "", reason: null, who: "anna", verified: true, when: "" };
    const labels = [
      { ...label, id: 3, verdict: "note" as const },
      { ...label, id: 2, verdict: "false_positive" as const },
      { ...label, id: 1, verdict: "fraud" as const },
    ];
    expect(latestDecision(labels)?.id).toBe(2);
    expect(latestDecision([])).toBeNull();
  });
});

describe("words for an alert", () => {
  it("call a score an alert only where somebody has set a threshold", () => {
    const document = testDocument();
    expect(decisionWords(document, true)).toBe("Alert");
    document.threshold = { value: 0.5, source: "default" };
    expect(decisionWords(document, true)).toBe("Above the threshold");
    expect(decisionWords(document, false)).toBe("Below the threshold");
  });

  it("show the caller's labels, but not the threshold twice", () => {
    const document = testDocument();
    document.explanation.labels = { account: "DE-7", threshold: "0.8" };
    expect(labelFacts(document)).toEqual([{ name: "account", text: "DE-7", more: "" }]);
  });

  it("shorten the digest of a model", () => {
    expect(modelName("ab".repeat(32))).toBe("abababababab…");
  });

  it("name what just missed having facts of its own", () => {
    const document = testDocument();
    const phrases = new Phrases(document.explanation);
    const cells = level();
    expect(nearMissNote(cells, 0, phrases)).toBe("");
    cells.quality.near_misses = [attribution("event", 0.1, 0.1, { t: -9 })];
    expect(nearMissNote(cells, 0, phrases)).toBe(
      "The event 9 before the latest just missed having single facts of its own.",
    );
  });
});
