import { afterEach, describe, expect, it } from "vitest";
import { preferences } from "./preferences.svelte";
import { ariaKeys, keysText, shortcutActive, shortcutOf, SHORTCUTS } from "./shortcuts";

afterEach(() => {
  preferences.singleKeys = true;
});

describe("the table of keys", () => {
  it("gives every key one meaning", () => {
    const keys = Object.values(SHORTCUTS).flatMap((each) => [...each.keys]);
    expect(new Set(keys).size).toBe(keys.length);
    // A key that begins a pair must not do something by itself.
    for (const first of keys.filter((key) => key.includes(" ")).map((key) => key.split(" ")[0] ?? ""))
      expect(keys).not.toContain(first);
  });

  it("finds the shortcut of a key and of a pair", () => {
    expect(shortcutOf("j", "")).toEqual({ name: "down", begins: false });
    expect(shortcutOf("ArrowDown", "").name).toBe("down");
    expect(shortcutOf("g", "")).toEqual({ name: null, begins: true });
    expect(shortcutOf("a", "g")).toEqual({ name: "alerts", begins: false });
    expect(shortcutOf("x", "g").name).toBeNull();
    expect(shortcutOf("a", "").name).toBeNull();
  });

  it("leaves only keys that no voice types where single keys are off", () => {
    preferences.singleKeys = false;
    expect(["j", "f", "/", "?"].map((key) => shortcutOf(key, "").name)).toEqual([null, null, null, null]);
    expect(shortcutOf("g", "").begins).toBe(false);
    expect(shortcutOf("ArrowDown", "").name).toBe("down");
    expect([shortcutActive("fraud"), shortcutActive("open")]).toEqual([false, true]);
    expect([ariaKeys("fraud"), ariaKeys("down")]).toEqual([undefined, "ArrowDown"]);
  });

  it("tells keys as people read them", () => {
    expect([keysText("down", true), keysText("back"), keysText("alerts")]).toEqual(["j or ↓", "u", "g a"]);
  });
});
