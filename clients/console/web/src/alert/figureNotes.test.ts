import { describe, expect, it } from "vitest";
import { effectsOf } from "./effects";
import { eventsNote, featuresNote } from "./figureNotes";
import { Phrases } from "./phrases";
import { attribution, level, testDocument } from "./testDocument";

describe("sentences of figures", () => {
  const phrases = new Phrases(testDocument().explanation);

  it("do not say where a score comes from that nothing changed", () => {
    const events = effectsOf(level(attribution("event", 0, 0, { t: 0 })), 0);
    const features = effectsOf(level(attribution("feature", 0, 0, { feature: "amount" })), 0);
    expect(eventsNote(events, phrases)).toBe("No event changed the score. ");
    expect(featuresNote(features, phrases)).toBe("No feature changed the score. ");
  });
});
