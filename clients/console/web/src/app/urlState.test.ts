import { describe, expect, it } from "vitest";
import { decodeState, encodeState } from "./urlState";

describe("the state in the address", () => {
  it("comes back as it was", () => {
    const state = { weights: [0.2, 0.6], name: "Région – ≥ 3", nothing: null };
    expect(decodeState(encodeState(state))).toEqual(state);
  });

  it("is null for what is no state of this version", () => {
    const other = btoa(JSON.stringify({ v: 2, a: 1 }));
    for (const text of [null, "", "%%%", btoa("[1]"), btoa("null"), btoa("{"), other])
      expect(decodeState(text)).toBeNull();
  });
});
