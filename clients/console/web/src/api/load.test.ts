import { describe, expect, it } from "vitest";
import { Resource } from "./load.svelte";

const later = async (): Promise<void> => {
  await new Promise((go) => setTimeout(go, 0));
};

describe("a resource", () => {
  it("has what came, and keeps it while something newer is on its way", async () => {
    const found = new Resource<string>();
    found.ask(async () => "first");
    expect(found.loading).toBe(true);
    await later();
    expect([found.data, found.loading]).toEqual(["first", false]);
    found.ask(() => new Promise(() => {}));
    expect([found.data, found.loading]).toEqual(["first", true]);
  });

  it("ends an earlier question, whose late answer changes nothing", async () => {
    const found = new Resource<string>();
    let answer: (text: string) => void = () => {};
    let ended = false;
    found.ask((signal) => {
      signal.addEventListener("abort", () => (ended = true));
      return new Promise((resolve) => (answer = resolve));
    });
    found.ask(async () => "second");
    answer("late");
    await later();
    expect([found.data, ended]).toEqual(["second", true]);
  });

  it("can be asked again after a failure", async () => {
    const found = new Resource<number>();
    let times = 0;
    found.ask(async () => {
      times += 1;
      if (times === 1) throw new Error("down");
      return times;
    });
    await later();
    expect((found.failure as Error).message).toBe("down");
    found.retry();
    await later();
    expect([found.data, found.failure]).toEqual([2, null]);
  });
});
