/**
 * The colour of a signed number: warm towards the positive class, cool away from it, neutral at zero.
 * The reproductions of a paper paint it the other way round; `reversed` does that. Sign and number stand beside it.
 */

import { scaleLinear } from "d3-scale";
import { interpolatePuOr, interpolateRdBu } from "d3-scale-chromatic";

export type Palette = "RdBu" | "PuOr";

export interface Paint {
  palette: Palette;
  dark: boolean;
  /** The colours of the paper: cool towards the positive class. */
  reversed: boolean;
}

export const PAINT: Paint = { palette: "RdBu", dark: false, reversed: false };

// d3's scales are white in the middle, which shines on a dark page. These are the page's own colour there.
const DARK: Record<Palette, readonly string[]> = {
  RdBu: ["#92cbf5", "#4a93c9", "#2a5f8a", "#233140", "#20252d", "#41282a", "#8f3a32", "#d9604a", "#ffab91"],
  PuOr: ["#c9bdf2", "#9384cf", "#5f528f", "#302e42", "#20252d", "#3d2f1f", "#85561c", "#cf8526", "#ffc46b"],
};
const darkScales = {
  RdBu: scaleOf(DARK.RdBu),
  PuOr: scaleOf(DARK.PuOr),
};

/** The colour for −1 (fully cool) to 1 (fully warm); numbers beyond count as the ends. */
export function divergingColour(share: number, paint: Paint = PAINT): string {
  const inside = Math.max(-1, Math.min(1, Number.isFinite(share) ? share : 0));
  const warm = paint.reversed ? -inside : inside;
  if (paint.dark) return darkScales[paint.palette](warm);
  // One scale of d3 begins with its warm end, the other with its cool one.
  return paint.palette === "RdBu" ? interpolateRdBu((1 - warm) / 2) : interpolatePuOr((1 + warm) / 2);
}

/** The colour of a value where `extreme` is the largest size on the scale. */
export function valueColour(value: number, extreme: number, paint: Paint = PAINT): string {
  return divergingColour(extreme > 0 ? value / extreme : 0, paint);
}

/** The two colours of bars and lines: towards the positive class, and away from it. */
export function signColour(value: number, paint: Paint = PAINT): string {
  return divergingColour(value < 0 ? -0.75 : 0.75, paint);
}

function scaleOf(colours: readonly string[]): (share: number) => string {
  const domain = colours.map((_, index) => (2 * index) / (colours.length - 1) - 1);
  return scaleLinear<string>().domain(domain).range(colours).clamp(true);
}
