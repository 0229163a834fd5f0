import { describe, expect, it } from "vitest";

const files = import.meta.glob<string>("../**/*.svelte", { query: "?raw", import: "default", eager: true });

/** Selectors of a component that reach beyond it, because no part of them is its own. */
function leaks(source: string): string[] {
  const style = (/<style[^>]*>([^]*)<\/style>/.exec(source)?.[1] ?? "").replaceAll(/\/\*[^]*?\*\//g, "");
  const selectors = [...style.matchAll(/([^{};]+)\{/g)].map((match) => (match[1] ?? "").trim());
  return selectors.filter((selector) => selector.includes(":global") && own(selector) === "");
}

/** What is left of a selector without its global parts. */
function own(selector: string): string {
  let [depth, rest] = [0, ""];
  for (const part of selector.replaceAll(":global(", "\u0001").split(/(?=[\u0001()])|(?<=[\u0001()])/)) {
    if (part === "\u0001" || (part === "(" && depth > 0)) depth += 1;
    else if (part === ")" && depth > 0) depth -= 1;
    else if (depth === 0) rest += part;
  }
  return rest.replaceAll(/:global|[\s>+~*]/g, "");
}

describe("styles of components", () => {
  it("are found where they leak", () => {
    expect(leaks("<style>:global { .a { width: 1px } }</style>")).toEqual([":global"]);
    expect(leaks("<style>:global(.a:not(.b)) > :global(c) { x: y }</style>")).toHaveLength(1);
    expect(leaks("<style>.mine :global(.a:is(b, c)) { x: y } :global(tr.a) button { x: y }</style>")).toEqual(
      [],
    );
  });

  // A page keeps its styles when somebody goes on to another page, in whatever order pages are opened.
  it("reach only what is inside of the component", () => {
    expect(Object.keys(files).length).toBeGreaterThan(100);
    const found = Object.entries(files).map(([name, source]) => [name, leaks(source)] as const);
    expect(found.filter(([, each]) => each.length > 0)).toEqual([]);
  });
});
