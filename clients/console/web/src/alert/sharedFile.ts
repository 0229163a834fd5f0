/** One HTML file of an alert: the page's own components, drawn once more without anything to press. */

import { flushSync, mount, unmount } from "svelte";
import type { AlertDocument } from "../api/types";
import SharedAlert from "./SharedAlert.svelte";

/** A file has no scripts and asks nobody for anything; its policy says so to the browser. */
const POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

export async function sharedHtml(shown: AlertDocument, title: string): Promise<string> {
  const style = await Promise.all([...document.styleSheets].map(sheetText));
  const holder = document.createElement("div");
  const component = mount(SharedAlert, { target: holder, props: { document: shown } });
  try {
    flushSync();
    return page(title, holder.innerHTML, style.join("\n"));
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
${body.replaceAll(/<!--.*?-->/g, "")}
</body>
</html>
`;
}

/** The text as it was written: what a browser makes of it loses shorthands with variables. */
async function sheetText(sheet: CSSStyleSheet): Promise<string> {
  if (sheet.href) return (await fetch(sheet.href)).text();
  return sheet.ownerNode?.textContent ?? "";
}

export function escaped(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
