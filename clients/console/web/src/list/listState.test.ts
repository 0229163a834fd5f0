import { describe, expect, it } from "vitest";
import {
  alertAddress,
  apiQuery,
  changed,
  hasFilters,
  listAddress,
  queueOf,
  sortedBy,
  sortOf,
  withoutFilters,
} from "./listState";

const query = (text: string): URLSearchParams => new URLSearchParams(text);

describe("the list in the address", () => {
  it("asks the API for what the address says, and nothing else", () => {
    const asked = apiQuery(query("q=a%26b&min_score=0.5&verdict=open&cursor=x&at=y&other=1&model="));
    expect(asked.toString()).toBe("q=a%26b&min_score=0.5&verdict=open");
  });

  it("turns a period into a time, to the minute", () => {
    const now = new Date("2026-11-26T17:03:44.5Z");
    expect(apiQuery(query("since=7d"), now).get("from")).toBe("2026-11-19T17:03:00.000Z");
    expect(apiQuery(query("since=soon"), now).toString()).toBe("");
  });

  it("goes with an alert and comes back", () => {
    const queue = queueOf(query("q=a b&sort=score&cursor=x&at=y"));
    expect(queue).toBe("q=a+b&sort=score");
    const address = new URL(alertAddress("0af3", queue), "http://console.example");
    expect(address.pathname).toBe("/alerts/0af3");
    expect(listAddress(address.searchParams.get("queue") ?? "", "0af3")).toBe(
      "/alerts?q=a+b&sort=score&at=0af3",
    );
    expect([alertAddress("x", ""), listAddress("")]).toEqual(["/alerts/x", "/alerts"]);
  });

  it("begins at the first page with other filters", () => {
    expect(changed(query("cursor=x&at=y&model=a"), { model: "" }).toString()).toBe("");
    expect(changed(query("cursor=x"), { at: "y" }).toString()).toBe("cursor=x&at=y");
    expect(changed(query("cursor=x&q=1"), { cursor: "z" }).toString()).toBe("q=1&cursor=z");
  });

  it("knows whether something is filtered, and can leave that out", () => {
    expect([hasFilters(query("sort=score&cursor=1")), hasFilters(query("since=7d"))]).toEqual([false, true]);
    expect(withoutFilters(query("sort=score&cursor=1&since=7d&q=3")).toString()).toBe("sort=score");
  });

  it("is sorted by a column, and the other way at the second click", () => {
    expect(sortOf(query(""))).toEqual({ name: "created", descending: true });
    const byScore = sortedBy(query(""), "score");
    expect(byScore.toString()).toBe("sort=score");
    expect(sortOf(sortedBy(byScore, "score"))).toEqual({ name: "score", descending: false });
    expect(sortOf(sortedBy(byScore, "caller"))).toEqual({ name: "caller", descending: false });
    expect(sortedBy(query("sort=nonsense"), "created").toString()).toBe("order=asc");
  });
});
