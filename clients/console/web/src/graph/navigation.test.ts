import { describe, expect, it } from "vitest";
import { directionOf, moved, nodeAt, type PlacedNode } from "./navigation";

/** Two plots side by side, three axes each, levels at 10, 20 and 30; the middle axis lacks the level at 20. */
const nodes: PlacedNode[] = [0, 1].flatMap((plot) =>
  [0, 1, 2].flatMap((axis) =>
    [10, 20, 30]
      .filter((y) => axis !== 1 || y !== 20)
      .map((y, i) => ({ plot, node: 3 * axis + i, x: 200 * plot + 50 * axis, y, radius: 3 })),
  ),
);
const at = (x: number, y: number): PlacedNode | null => nodes.find((n) => n.x === x && n.y === y) ?? null;
const go = (from: PlacedNode | null, ...keys: string[]): PlacedNode | null =>
  keys.reduce<PlacedNode | null>((now, key) => {
    const direction = directionOf(key);
    return direction ? moved(nodes, now, direction) : now;
  }, from);

describe("arrow keys", () => {
  it("begin at the first node, and go to the next axis and the nearest level", () => {
    expect(go(null, "ArrowRight")).toBe(at(0, 10));
    expect(go(at(0, 10), "ArrowRight")).toBe(at(50, 10));
    expect(go(at(0, 20), "ArrowRight")?.x).toBe(50);
    expect(go(at(0, 30), "ArrowRight", "ArrowRight")).toBe(at(100, 30));
  });

  it("go over into the next graph, and stay at the edges of the figure", () => {
    expect(go(at(100, 20), "ArrowRight")).toBe(at(200, 20));
    expect(go(at(200, 10), "ArrowLeft")).toBe(at(100, 10));
    for (const [x, y, key] of [
      [0, 10, "ArrowLeft"],
      [300, 30, "ArrowRight"],
      [50, 10, "ArrowUp"],
      [50, 30, "ArrowDown"],
    ] as const)
      expect(go(at(x, y), key)).toBe(at(x, y));
  });

  it("go along an axis, and to the first and the last axis of a graph", () => {
    expect(go(at(50, 10), "ArrowDown")).toBe(at(50, 30));
    expect(go(at(0, 10), "ArrowDown", "ArrowDown", "ArrowUp")).toBe(at(0, 20));
    expect(go(at(250, 30), "Home")).toBe(at(200, 30));
    expect(go(at(250, 10), "End")).toBe(at(300, 10));
  });

  it("reach every node", () => {
    const reached = new Set<PlacedNode>();
    const open = [go(null, "ArrowRight")];
    for (let next = open.pop(); next; next = open.pop()) {
      if (reached.has(next)) continue;
      reached.add(next);
      open.push(...["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"].map((key) => go(next, key)));
    }
    expect(reached.size).toBe(nodes.length);
  });
});

describe("a pointer", () => {
  it("finds the nearest node in reach", () => {
    expect(nodeAt(nodes, 51, 12)).toBe(at(50, 10));
    expect(nodeAt(nodes, 25, 20)).toBeNull();
  });
});
