/** One HTML file of an alert: the page's own components, drawn once more without anything to press. */

import { flushSync, mount, unmount } from "svelte";
import type { AlertDocument } from "../api/types";
import SharedAlert from "./SharedAlert.svelte";

/** A file has no scripts and asks nobody for anything; its policy says so to the browser. */
const POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

export function sharedHtml(shown: AlertDocument, title: string): string {
  const holder = document.createElement("div");
  const component = mount(SharedAlert, { target: holder, props: { document: shown } });
  try {
    flushSync();
    return page(title, holder.innerHTML, usedRules(holder));
  } finally {
    void unmount(component);
  }
}

function page(title: string, body: string, style: string): string {
  return `<!doctype html>
<html lang="en" data-theme="light">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${escaped(title)}</title>
<style>
${style}
</style>
</head>
<body>
${body.replaceAll("<!---->", "").replaceAll("<!--[-->", "")}
</body>
</html>
`;
}

/** The rules of the console that something in the file uses, and all of its colours. */
function usedRules(holder: Element): string {
  const found: string[] = [];
  for (const sheet of document.styleSheets)
    for (const rule of sheet.cssRules) if (isUsed(rule, holder)) found.push(rule.cssText);
  return found.join("\n");
}

function isUsed(rule: CSSRule, holder: Element): boolean {
  if (rule instanceof CSSStyleRule) return isUsedSelector(rule.selectorText, holder);
  if (rule instanceof CSSMediaRule) return [...rule.cssRules].some((each) => isUsed(each, holder));
  return false;
}

function isUsedSelector(selector: string, holder: Element): boolean {
  if (/^(:root|html|body|\*)/.test(selector)) return true;
  try {
    // A state such as :hover is no reason to leave a rule out.
    const bare = selector.replace(/:(hover|focus|focus-visible|active|first-child|last-child)\b/g, "");
    return bare.trim() === "" || holder.querySelector(bare) !== null;
  } catch {
    return false;
  }
}

export function escaped(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
