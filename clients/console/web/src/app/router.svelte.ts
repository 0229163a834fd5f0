/** Paths of the console, and the state of a view in the address. */

import { decodeState, encodeState } from "./urlState";

class Router {
  path = $state(location.pathname);
  query = $state(new URLSearchParams(location.search));

  constructor() {
    addEventListener("popstate", () => this.#read());
  }

  /** Goes to a path of the console, as a click on a link does. */
  go(address: string): void {
    history.pushState(null, "", address);
    this.#read();
    scrollTo(0, 0);
  }

  /** Changes the address without a new entry in the browser's history, such as while a slider moves. */
  replace(address: string): void {
    history.replaceState(history.state, "", address);
    this.#read();
  }

  /** The state of the view in `?v=`; null if there is none or it cannot be read. */
  view(): Record<string, unknown> | null {
    return decodeState(this.query.get("v"));
  }

  setView(state: Record<string, unknown>): void {
    const query = new URLSearchParams(this.query);
    query.set("v", encodeState(state));
    this.replace(`${this.path}?${query}`);
  }

  #read(): void {
    this.path = location.pathname;
    this.query = new URLSearchParams(location.search);
  }
}

export const router = new Router();
