/**
 * The script in the one-file report of `sequela explain --html`: it draws the explanation with the components of the
 * console, in place of the plain tables that the file has for readers without scripts.
 */
import { flushSync, mount } from "svelte";
import "./app/tokens.css";
import "./app/base.css";
import AlertView from "./alert/AlertView.svelte";
import type { AlertDocument } from "./api/types";

const data = document.getElementById("document")?.textContent;
const target = document.getElementById("alert");
if (data && target) {
  mount(AlertView, { target, props: { document: JSON.parse(data) as AlertDocument, readOnly: true } });
  flushSync();
  // Only now: if something fails, the tables stay.
  document.getElementById("plain")?.remove();
}
