import { describe, expect, it } from "vitest";
import { isPage } from "./links";

describe("a link", () => {
  const here = new URL("http://console.example/alerts?q=1");
  const leads = (address: string): boolean => isPage(new URL(address, here), here);

  it("is followed by the console if it leads to one of its pages", () => {
    expect(["/cohorts", "/alerts", "?q=2", "/alerts?q=1"].map(leads)).toEqual([true, true, true, true]);
  });

  it("is left to the browser if it leads to a file, elsewhere, or to a part of this page", () => {
    expect(["/api/labels.csv", "http://other.example/alerts", "#why", "mailto:a@b"].map(leads)).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });
});
