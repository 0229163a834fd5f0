/** The one table of keys: handlers, hints beside buttons and the help dialog follow from it. */

import { preferences } from "./preferences.svelte";

export interface Shortcut {
  /** Each a key, or two keys one after the other: "g a". */
  keys: readonly string[];
  text: string;
  where: "Everywhere" | "List of alerts" | "One alert" | "Figures and grids";
}

export const SHORTCUTS = {
  help: { keys: ["?"], text: "Show all keys", where: "Everywhere" },
  search: { keys: ["/"], text: "Search alerts by any id", where: "Everywhere" },
  alerts: { keys: ["g a"], text: "Go to the alerts", where: "Everywhere" },
  cohorts: { keys: ["g c"], text: "Go to the cohorts", where: "Everywhere" },
  theme: { keys: ["t"], text: "Light or dark", where: "Everywhere" },
  undo: { keys: ["z"], text: "Take back the last decision, while its message is shown", where: "Everywhere" },
  down: { keys: ["j", "ArrowDown"], text: "Move to the alert below", where: "List of alerts" },
  up: { keys: ["k", "ArrowUp"], text: "Move to the alert above", where: "List of alerts" },
  open: { keys: ["Enter"], text: "Open the alert", where: "List of alerts" },
  older: { keys: ["]"], text: "Next page", where: "List of alerts" },
  newer: { keys: ["["], text: "Previous page", where: "List of alerts" },
  fraud: { keys: ["f"], text: "Decide: fraud (also in the list)", where: "One alert" },
  falsePositive: { keys: ["p"], text: "Decide: false positive (also in the list)", where: "One alert" },
  next: { keys: ["n"], text: "Next alert of the list", where: "One alert" },
  previous: { keys: ["b"], text: "Previous alert of the list", where: "One alert" },
  back: { keys: ["u", "Escape"], text: "Back to the list", where: "One alert" },
  reasonWrong: { keys: ["r"], text: "A reason is wrong", where: "One alert" },
  note: { keys: ["m"], text: "Write a note", where: "One alert" },
  compare: { keys: ["c"], text: "Compare with another alert", where: "One alert" },
  share: { keys: ["s"], text: "Share", where: "One alert" },
  members: { keys: ["o"], text: "Open the alerts behind the mark", where: "Figures and grids" },
} as const satisfies Record<string, Shortcut>;

export type ShortcutName = keyof typeof SHORTCUTS;

const NAMES = Object.keys(SHORTCUTS) as ShortcutName[];
const WORDS: Record<string, string> = { ArrowDown: "↓", ArrowUp: "↑", Escape: "Esc" };

/** "j or ↓", as people read it; only the first key unless all are asked for. */
export function keysText(name: ShortcutName, all = false): string {
  const keys: readonly string[] = SHORTCUTS[name].keys;
  return keys
    .slice(0, all ? keys.length : 1)
    .map((key) => WORDS[key] ?? key)
    .join(" or ");
}

/** For aria-keyshortcuts, which knows no keys one after the other. */
export function ariaKeys(name: ShortcutName): string | undefined {
  const keys = SHORTCUTS[name].keys.filter((key) => !key.includes(" ") && works(key));
  return keys.length ? keys.join(" ") : undefined;
}

/** Whether the first key of a shortcut works now. */
export function shortcutActive(name: ShortcutName): boolean {
  return works(SHORTCUTS[name].keys[0]);
}

function works(key: string): boolean {
  return preferences.singleKeys || (key.length > 1 && !key.includes(" "));
}

/**
 * The shortcut that a key means after the keys before it, and whether it may be the first of two.
 *
 * @param before the key before it, if it was pressed just now and began a pair
 */
export function shortcutOf(key: string, before: string): { name: ShortcutName | null; begins: boolean } {
  const pressed = before ? `${before} ${key}` : key;
  const has = (found: (key: string) => boolean): ShortcutName | undefined =>
    NAMES.find((name) =>
      (SHORTCUTS[name].keys as readonly string[]).some((each) => works(each) && found(each)),
    );
  return {
    name: has((each) => each === pressed) ?? null,
    begins: !before && has((each) => each.startsWith(`${key} `)) !== undefined,
  };
}
