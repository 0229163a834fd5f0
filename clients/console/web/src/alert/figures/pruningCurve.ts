/** The importance of the older and of the newer part of the sequence for each cut: TimeSHAP's figures 5a and 5d. */

import { line } from "d3-shape";
import { scaleLinear } from "d3-scale";
import { extentWithZero, labelRoom, labelStride, textWidth, valueAxis, type Tick } from "./axis";

export interface CurvePoint {
  /** The newest event of the older part. */
  t: number;
  older: number;
  newer: number;
}

export interface CurveGeometry {
  width: number;
  height: number;
  left: number;
  right: number;
  plotTop: number;
  plotBottom: number;
  zero: number;
  ticks: Tick[];
  labels: Tick[];
  older: string;
  newer: string;
  points: { t: number; x: number; older: number; newer: number }[];
  /** Where the events were cut; null if nothing was pruned or the cut is outside of what is shown. */
  cut: number | null;
  /** Names of the two lines, where they lie farthest apart. */
  lineLabels: { part: "older" | "newer"; x: number; y: number }[];
  /** The band within the tolerance. */
  tolerance: { top: number; bottom: number } | null;
}

/** As many cuts as the paper's figure 5d shows. */
export const LATEST_CUTS = 50;

const RIGHT = 12;
/** Room for the name of the events taken together, above all lines. */
const TOP = 42;
const PLOT = 202;
const BOTTOM = 42;

/** The two parts add up to score − base for each cut. */
export function curvePoints(
  curve: readonly { t: number; importances: number[] }[],
  target: number,
  gain: number,
): CurvePoint[] {
  const points = curve.map(({ t, importances }) => ({ t, older: importances[target] ?? 0 }));
  return points.map((each) => ({ ...each, newer: gain - each.older })).sort((a, b) => a.t - b.t);
}

/** The latest 50, but always as many as it takes to see the cut. */
export function latestCuts(points: readonly CurvePoint[], cut: number | null): CurvePoint[] {
  const from = Math.min(-LATEST_CUTS, (cut ?? 0) - 2);
  return points.filter((each) => each.t >= from);
}

export function pruningCurve(
  points: readonly CurvePoint[],
  cut: number | null,
  tolerance: number,
  width: number,
): CurveGeometry {
  const first = points[0]?.t ?? -1;
  const last = Math.max(points.at(-1)?.t ?? 0, first + 1);
  const right = width - RIGHT;
  const values = points.flatMap((each) => [each.older, each.newer]);
  const axis = valueAxis(extentWithZero([...values, tolerance, -tolerance]), [TOP + PLOT, TOP], 5);
  const left = labelRoom(axis.ticks);
  const x = scaleLinear([first, last], [left, right]);
  const placed = points.map((each) => ({
    t: each.t,
    x: x(each.t),
    older: axis.scale(each.older),
    newer: axis.scale(each.newer),
  }));
  const path = (part: "older" | "newer"): string =>
    line<(typeof placed)[number]>(
      (each) => each.x,
      (each) => each[part],
    )(placed) ?? "";
  const shown = cut !== null && cut >= first && cut <= last;
  return {
    width,
    height: TOP + PLOT + BOTTOM,
    left,
    right,
    plotTop: TOP,
    plotBottom: TOP + PLOT,
    zero: axis.zero,
    ticks: axis.ticks,
    labels: cutLabels(placed),
    older: path("older"),
    newer: path("newer"),
    points: placed,
    cut: shown ? x(cut) : null,
    lineLabels: lineLabels(placed),
    tolerance: tolerance > 0 ? { top: axis.scale(tolerance), bottom: axis.scale(-tolerance) } : null,
  };
}

function cutLabels(points: readonly { t: number; x: number }[]): Tick[] {
  const step =
    points.length > 1 ? ((points.at(-1)?.x ?? 0) - (points[0]?.x ?? 0)) / (points.length - 1) : 100;
  const longest = Math.max(...points.map((each) => textWidth(`${each.t}`)), 0);
  const stride = labelStride(step, longest + 10);
  return points
    .filter((each) => each.t % stride === 0 || (each.t === -1 && stride === 2))
    .filter((each, index, all) => index === 0 || each.x - (all[index - 1]?.x ?? 0) >= longest + 4)
    .map((each) => ({ at: each.x, label: `${each.t}`.replace("-", "−") }));
}

function lineLabels(
  points: readonly { x: number; older: number; newer: number }[],
): CurveGeometry["lineLabels"] {
  const [first] = points;
  if (!first) return [];
  const above = (y: number): number => y - 8;
  const below = (y: number): number => y + 18;
  const [olderY, newerY] =
    first.older > first.newer
      ? [below(first.older), above(first.newer)]
      : [above(first.older), below(first.newer)];
  return [
    { part: "older", x: first.x + 4, y: olderY },
    { part: "newer", x: first.x + 4, y: newerY },
  ];
}
