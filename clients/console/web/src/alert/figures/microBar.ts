/** A small bar with its whisker, for a cell of a table. All bars of a column share one domain. */

import { scaleLinear } from "d3-scale";
import { extentWithZero } from "./axis";

export interface MicroBar {
  x: number;
  width: number;
  zero: number;
  positive: boolean;
  whisker: { from: number; to: number } | null;
}

export function microBar(
  effect: { value: number; low: number; high: number },
  domain: [number, number],
  width: number,
): MicroBar {
  // A pixel at each side, so that ends of whiskers are seen.
  const scale = scaleLinear(domain, [1, width - 1]);
  const [zero, end] = [scale(0), scale(effect.value)];
  return {
    x: Math.min(zero, end),
    width: Math.abs(end - zero),
    zero,
    positive: effect.value >= 0,
    whisker: effect.high > effect.low ? { from: scale(effect.low), to: scale(effect.high) } : null,
  };
}

export function commonDomain(
  effects: Iterable<{ value: number; low: number; high: number }>,
): [number, number] {
  return extentWithZero([...effects].flatMap((each) => [each.value, each.low, each.high]));
}
