/** Where the reader is: the path, its query, and the state of the view. */

import { call } from "../api/client";
import { decodeState, encodeState } from "./urlState";

type ViewState = Record<string, unknown>;

/** A longer state is kept by the console, and the address has its short id. */
export const LONGEST_STATE = 1500;
const SHORT = "/s/";
// Browsers refuse more than a few changes of the address in a second.
const WRITE_MILLISECONDS = 200;
const SHORTEN_MILLISECONDS = 800;

/** What the browser's history keeps with an entry whose address is short. */
interface Entry {
  path?: string;
  search?: string;
}

class Router {
  /** The path of the page, also where the address is short. */
  path = $state("/");
  query = $state.raw(new URLSearchParams());
  /** How many times the reader has gone to another page since the console was opened. */
  moves = $state(0);
  /** The id of a short address whose page is not known yet. */
  short = $state("");
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    if (typeof addEventListener === "undefined" || typeof location === "undefined") return;
    addEventListener("popstate", () => {
      this.moves += 1;
      this.#read();
    });
    // What was changed a moment ago must survive a reload.
    addEventListener("pagehide", () => this.flush());
    this.#read();
  }

  /** Goes to a path of the console, as a click on a link does. */
  go(address: string): void {
    this.flush();
    history.pushState(null, "", address);
    this.moves += 1;
    this.#read();
    scrollTo(0, 0);
  }

  /** Changes the address without a new entry in the browser's history. */
  replace(address: string): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    history.replaceState(null, "", address);
    this.#read();
  }

  /** The state of the view in `?v=`; null if there is none or it cannot be read. */
  view(): ViewState | null {
    return decodeState(this.query.get("v"));
  }

  /** Keeps the state of the view in the address; may be called while a slider moves. */
  setView(state: ViewState): void {
    const query = new URLSearchParams(this.query);
    query.set("v", encodeState(state));
    this.setQuery(query);
  }

  setQuery(query: URLSearchParams): void {
    this.query = query;
    clearTimeout(this.#timer);
    const long = (query.get("v") ?? "").length > LONGEST_STATE;
    this.#timer = setTimeout(() => this.flush(), long ? SHORTEN_MILLISECONDS : WRITE_MILLISECONDS);
  }

  /** The page of a short address is known now. */
  adopt(path: string, state: ViewState): void {
    this.short = "";
    this.path = path;
    this.query = new URLSearchParams({ v: encodeState(state) });
    history.replaceState(this.#entry(), "", location.href);
  }

  /** Writes a changed state into the address now. */
  flush(): void {
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const address = addressOf(this.path, this.query);
    if ((this.query.get("v") ?? "").length > LONGEST_STATE) void this.#shorten(this.query);
    else history.replaceState(null, "", address);
  }

  /** An address that can be sent to others: the short one of the view as it is now. */
  async shared(): Promise<string> {
    const { id } = await call<{ id: string }>("POST", "/api/links", {
      path: this.path,
      state: this.view() ?? {},
    });
    return location.origin + SHORT + id;
  }

  async #shorten(query: URLSearchParams): Promise<void> {
    const asked = { path: this.path, state: decodeState(query.get("v")) ?? {} };
    const { id } = await call<{ id: string }>("POST", "/api/links", asked);
    if (this.query === query) history.replaceState(this.#entry(), "", SHORT + id);
  }

  #entry(): Entry {
    return { path: this.path, search: this.query.toString() };
  }

  #read(): void {
    const entry = (history.state ?? {}) as Entry;
    const isShort = location.pathname.startsWith(SHORT);
    if (isShort && entry.path === undefined) {
      this.short = location.pathname.slice(SHORT.length);
      return;
    }
    this.short = "";
    this.path = isShort ? (entry.path ?? "/") : location.pathname;
    this.query = new URLSearchParams(isShort ? entry.search : location.search);
  }
}

export function addressOf(path: string, query: URLSearchParams): string {
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

export const router = new Router();
