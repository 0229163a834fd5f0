/** Horizontal bars with 95 % whiskers, one for each effect: features (TimeSHAP's figures 5c and 5f), and comparisons. */

import { extentWithZero, shortened, spacedTicks, textWidth, valueAxis, type Tick } from "./axis";

export interface BarInput {
  key: string;
  label: string;
  /** The effect and its margin as text. */
  text: string;
  error: string;
  value: number;
  standardError: number;
  low: number;
  high: number;
}

export interface Bar {
  key: string;
  label: string;
  fullLabel: string;
  y: number;
  height: number;
  x: number;
  width: number;
  positive: boolean;
  whisker: { from: number; to: number } | null;
  text: string;
  error: string;
  textX: number;
  /** Whether the number stands to the left of the bar. */
  textLeft: boolean;
}

export interface BarsGeometry {
  width: number;
  height: number;
  labelWidth: number;
  plotBottom: number;
  zero: number;
  ticks: Tick[];
  bars: Bar[];
}

const ROW = 24;
const BAR = 14;
const AXIS = 26;
const NUMBER = 112; // "+0.242 ± 0.008"
const NARROW_NUMBER = 50; // "+0.242": on a phone the interval is drawn, and stands in the table
const NARROW = 440;
const GAP = 6;

export function effectBars(
  inputs: readonly BarInput[],
  width: number,
  domain: [number, number] = extentWithZero(inputs.flatMap((each) => [each.low, each.high, each.value])),
): BarsGeometry {
  const longest = Math.max(0, ...inputs.map((each) => textWidth(each.label)));
  const labelWidth = Math.min(longest + 8, width * 0.36);
  // Numbers stand beyond the whiskers, so that both sides need room for them if there are bars on both.
  const narrow = width < NARROW;
  const room = narrow ? NARROW_NUMBER : NUMBER;
  const left = labelWidth + (domain[0] < 0 ? room : GAP);
  const right = Math.max(width - (domain[1] > 0 ? room : GAP), left + 40);
  const axis = valueAxis(domain, [left, right], narrow ? 2 : 4);
  const plotBottom = inputs.length * ROW + 4;
  return {
    width,
    height: plotBottom + AXIS,
    labelWidth,
    plotBottom,
    zero: axis.zero,
    ticks: spacedTicks(axis),
    bars: inputs.map((each, index) => ({
      ...bar(each, index, axis.scale, labelWidth),
      ...(narrow ? { error: "" } : {}),
    })),
  };
}

function bar(input: BarInput, index: number, scale: (value: number) => number, labelWidth: number): Bar {
  const [zero, end] = [scale(0), scale(input.value)];
  const positive = input.value >= 0;
  const beyond = positive
    ? Math.max(end, scale(input.high), zero) + GAP
    : Math.min(end, scale(input.low), zero) - GAP;
  return {
    key: input.key,
    label: shortened(input.label, labelWidth - GAP),
    fullLabel: input.label,
    y: index * ROW + (ROW - BAR) / 2 + 2,
    height: BAR,
    x: Math.min(zero, end),
    width: Math.abs(end - zero),
    positive,
    whisker: input.standardError > 0 ? { from: scale(input.low), to: scale(input.high) } : null,
    text: input.text,
    error: input.error,
    textX: beyond,
    textLeft: !positive,
  };
}
