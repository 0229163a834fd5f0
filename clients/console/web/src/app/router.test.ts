import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { decodeState, encodeState } from "./urlState";

/** A browser's address and history, as far as the router uses them. */
class Window {
  entries: { address: URL; state: unknown }[];
  at = 0;
  heard = new Map<string, () => void>();

  constructor(address: string) {
    this.entries = [{ address: new URL(address, "http://console.example"), state: null }];
  }
  get entry(): { address: URL; state: unknown } {
    return this.entries[this.at] as { address: URL; state: unknown };
  }
  replace(state: unknown, address: string): void {
    this.entries[this.at] = { address: new URL(address, this.entry.address), state };
  }
  push(state: unknown, address: string): void {
    this.entries = [
      ...this.entries.slice(0, this.at + 1),
      { address: new URL(address, this.entry.address), state },
    ];
    this.at += 1;
  }
  back(): void {
    this.at -= 1;
    this.heard.get("popstate")?.();
  }
}

type Router = (typeof import("./router.svelte"))["router"];
let browser: Window;
let links: { path: string; state: unknown }[];

async function opened(address: string): Promise<Router> {
  browser = new Window(address);
  vi.resetModules();
  return (await import("./router.svelte")).router;
}

beforeEach(() => {
  vi.useFakeTimers();
  links = [];
  vi.stubGlobal("location", {
    get pathname() {
      return browser.entry.address.pathname;
    },
    get search() {
      return browser.entry.address.search;
    },
    get href() {
      return browser.entry.address.href;
    },
    origin: "http://console.example",
  });
  vi.stubGlobal("history", {
    get state() {
      return browser.entry.state;
    },
    pushState: (state: unknown, _: string, address: string) => browser.push(state, address),
    replaceState: (state: unknown, _: string, address: string) => browser.replace(state, address),
  });
  vi.stubGlobal("addEventListener", (name: string, handler: () => void) => browser.heard.set(name, handler));
  vi.stubGlobal("scrollTo", () => {});
  vi.stubGlobal("fetch", async (_: string, request: RequestInit) => {
    links.push(JSON.parse(String(request.body)));
    return new Response(JSON.stringify({ id: `link${links.length}` }), { status: 200 });
  });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const address = (): string => browser.entry.address.pathname + browser.entry.address.search;

describe("the state of a view", () => {
  it("is in the address a moment later, once however often it changes, beside other parameters", async () => {
    const router = await opened("/alerts/a?queue=q%3D1");
    const write = vi.spyOn(history, "replaceState");
    for (let width = 0; width < 50; width += 1) router.setView({ width });
    expect(router.view()).toEqual({ width: 49 });
    expect(write).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(300);
    expect(write).toHaveBeenCalledTimes(1);
    expect(decodeState(browser.entry.address.searchParams.get("v"))).toEqual({ width: 49 });
    expect(browser.entry.address.searchParams.get("queue")).toBe("q=1");
  });

  it("is written at once when the page is left", async () => {
    const router = await opened("/cohorts");
    router.setView({ a: 1 });
    browser.heard.get("pagehide")?.();
    expect(address()).toBe(`/cohorts?v=${encodeState({ a: 1 })}`);
    router.setView({ a: 2 });
    router.go("/alerts");
    browser.back();
    expect(router.view()).toEqual({ a: 2 });
  });

  it("gets a short address when it is long, and the page stays", async () => {
    const router = await opened("/cohorts/c/grid");
    const state = { names: "n".repeat(2000) };
    router.setView(state);
    await vi.advanceTimersByTimeAsync(1000);
    expect(links).toEqual([{ path: "/cohorts/c/grid", state }]);
    expect([address(), router.path]).toEqual(["/s/link1", "/cohorts/c/grid"]);
    router.go("/alerts");
    expect(router.path).toBe("/alerts");
    browser.back();
    expect([router.path, router.short, router.view()]).toEqual(["/cohorts/c/grid", "", state]);
  });
});

describe("a short address", () => {
  it("is asked for, and then has its page without another address", async () => {
    const router = await opened("/s/abc");
    expect(router.short).toBe("abc");
    router.adopt("/cohorts/c", { a: 1 });
    expect([router.short, router.path, router.view(), address()]).toEqual([
      "",
      "/cohorts/c",
      { a: 1 },
      "/s/abc",
    ]);
  });

  it("can be made for others", async () => {
    const router = await opened("/cohorts/c");
    expect(await router.shared()).toBe("http://console.example/s/link1");
  });
});
