import { describe, expect, it } from "vitest";
import { matched, pageOf } from "./pages";

describe("the page of a path", () => {
  it("has the parameters of its path", () => {
    expect(pageOf("/alerts/0af3")?.params).toEqual({ id: "0af3" });
    expect(pageOf("/cohorts/my%20cohort/rows/12")?.params).toEqual({ cohort: "my cohort", row: "12" });
    expect(pageOf("/alerts/")?.page.pattern).toBe("/alerts");
  });

  it("is none for other paths", () => {
    for (const path of ["/", "/alert", "/alerts/a/b", "/cohorts/%E0%A4%A/grid", "/cohorts//grid"])
      expect(pageOf(path), path).toBeNull();
    expect(matched("/a/:b", "/a/")).toBeNull();
  });
});
