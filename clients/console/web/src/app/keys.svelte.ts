/** Hears keys and calls what the page has for them. Off while somebody types, and while a dialog is open. */

import { shortcutOf, type ShortcutName } from "./shortcuts";

type Handlers = Partial<Record<ShortcutName, () => void>>;

const PAIR_MILLISECONDS = 1500;
const TYPES =
  "input:not([type=checkbox], [type=radio], [type=range], [type=button]), textarea, select, [contenteditable]";
// Keys that these elements use themselves.
const OWN_ENTER = "a, button, summary, [role=button], [role=menuitem]";
const OWN_ARROWS = "input, [role=menu], [role=grid], [role=tablist], [role=slider], [role=application]";

const layers: Handlers[] = [];
let before = "";
let beforeTime = 0;

/** Hears keys for as long as the component lives; the latest component that knows a key gets it. */
export function onKeys(handlers: Handlers): void {
  $effect(() => {
    layers.push(handlers);
    return () => layers.splice(layers.indexOf(handlers), 1);
  });
}

export function hear(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
  if (isTaken(event)) return;
  const first = event.timeStamp - beforeTime < PAIR_MILLISECONDS ? before : "";
  const { name, begins } = shortcutOf(event.key, first);
  before = begins ? event.key : "";
  beforeTime = event.timeStamp;
  const handler = name && layers.findLast((layer) => layer[name])?.[name];
  if (!handler) return;
  event.preventDefault();
  handler();
}

/** Whether the key belongs to what has the focus, or to an open dialog or panel. */
function isTaken(event: KeyboardEvent): boolean {
  if (document.querySelector("dialog[open], [popover]:popover-open:not([popover=manual])")) return true;
  const target = event.target;
  if (!(target instanceof Element)) return false;
  if (target.closest(TYPES)) return true;
  if (event.key === "Enter") return target.closest(OWN_ENTER) !== null;
  return event.key.startsWith("Arrow") && target.closest(OWN_ARROWS) !== null;
}
