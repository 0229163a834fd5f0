/** Arrow keys over the nodes of a figure. */

/** Where a node of a plot stands, in CSS pixels. */
export interface PlacedNode {
  plot: number;
  /** An index into the nodes of the plot's question. */
  node: number;
  x: number;
  y: number;
  radius: number;
}

export type Direction = "left" | "right" | "up" | "down" | "first" | "last";

const KEYS: Partial<Record<string, Direction>> = {
  ArrowLeft: "left",
  ArrowRight: "right",
  ArrowUp: "up",
  ArrowDown: "down",
  Home: "first",
  End: "last",
};

export const directionOf = (key: string): Direction | null => KEYS[key] ?? null;

/** Positions on the same axis differ by less. */
const SAME_PIXELS = 0.5;

/**
 * Left and right go to the nearest level of the next axis, up and down along an axis, Home and End to the first and the
 * last axis of the graph. At the edge of the figure the focus stays.
 */
export function moved(
  nodes: readonly PlacedNode[],
  current: PlacedNode | null,
  direction: Direction,
): PlacedNode | null {
  if (!current) return nodes[0] ?? null;
  if (direction === "up" || direction === "down") return alongAxis(nodes, current, direction);
  const axis = axisX(nodes, current, direction);
  if (axis === null) return current;
  const there = nodes.filter((each) => Math.abs(each.x - axis) < SAME_PIXELS);
  return nearest(there, (each) => Math.abs(each.y - current.y)) ?? current;
}

function alongAxis(nodes: readonly PlacedNode[], current: PlacedNode, direction: "up" | "down"): PlacedNode {
  const sign = direction === "down" ? 1 : -1;
  const ahead = nodes.filter(
    (each) => Math.abs(each.x - current.x) < SAME_PIXELS && sign * (each.y - current.y) > SAME_PIXELS,
  );
  return nearest(ahead, (each) => Math.abs(each.y - current.y)) ?? current;
}

function axisX(nodes: readonly PlacedNode[], current: PlacedNode, direction: Direction): number | null {
  const places = (own: readonly PlacedNode[]): number[] => own.map((each) => each.x);
  const plot = nodes.filter((each) => each.plot === current.plot);
  if (direction === "first") return Math.min(...places(plot));
  if (direction === "last") return Math.max(...places(plot));
  const sign = direction === "right" ? 1 : -1;
  const ahead = places(nodes).filter((x) => sign * (x - current.x) > SAME_PIXELS);
  return nearest(ahead, (x) => Math.abs(x - current.x));
}

/** Finds the node under a point. */
export function nodeAt(nodes: readonly PlacedNode[], x: number, y: number): PlacedNode | null {
  const reached = nodes.filter((each) => Math.hypot(each.x - x, each.y - y) <= each.radius + 2);
  return nearest(reached, (each) => Math.hypot(each.x - x, each.y - y));
}

function nearest<T>(items: readonly T[], distance: (item: T) => number): T | null {
  let best: T | null = null;
  let least = Infinity;
  for (const item of items) {
    const found = distance(item);
    if (found < least) [best, least] = [item, found];
  }
  return best;
}
