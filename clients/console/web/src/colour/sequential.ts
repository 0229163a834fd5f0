/** The colour of a number without a sign, from nothing (the page) to the largest: for heat, counts and variance. */

import { scaleLinear } from "d3-scale";
import { interpolateBlues, interpolateReds } from "d3-scale-chromatic";

export type Hue = "neutral" | "warm" | "cool";

const DARK: Record<Hue, readonly string[]> = {
  neutral: ["#20252d", "#3b4452", "#66738a", "#a3b1c8", "#eceff4"],
  warm: ["#20252d", "#57302b", "#a8483a", "#ef7b5f", "#ffc9b5"],
  cool: ["#20252d", "#22405a", "#2f6f9f", "#62ade0", "#c1e3ff"],
};
const NEUTRAL = ["#ffffff", "#dfe3e9", "#a5aebc", "#5f6b7d", "#1d2530"];

export function sequentialColour(share: number, hue: Hue = "neutral", dark = false): string {
  const inside = Math.max(0, Math.min(1, Number.isFinite(share) ? share : 0));
  if (dark) return scaleOf(DARK[hue])(inside);
  if (hue === "neutral") return scaleOf(NEUTRAL)(inside);
  return (hue === "warm" ? interpolateReds : interpolateBlues)(inside);
}

function scaleOf(colours: readonly string[]): (share: number) => string {
  const domain = colours.map((_, index) => index / (colours.length - 1));
  return scaleLinear<string>().domain(domain).range(colours).clamp(true);
}
