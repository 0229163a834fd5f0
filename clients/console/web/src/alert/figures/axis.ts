/** Axes that always hold everything: every value, the ends of its interval, and 0. */

import { scaleLinear, type ScaleLinear } from "d3-scale";

export interface Tick {
  at: number;
  label: string;
}

export interface Axis {
  scale: ScaleLinear<number, number>;
  ticks: Tick[];
  zero: number;
}

/** The smallest and largest of the numbers and 0; ±0.001 around 0 where all are 0, so that there is a scale at all. */
export function extentWithZero(numbers: Iterable<number>): [number, number] {
  let [low, high] = [0, 0];
  for (const each of numbers) {
    if (!Number.isFinite(each)) continue;
    low = Math.min(low, each);
    high = Math.max(high, each);
  }
  return low === high ? [-0.001, 0.001] : [low, high];
}

export function valueAxis(domain: [number, number], range: [number, number], tickCount: number): Axis {
  const scale = scaleLinear(domain, range).nice(Math.max(tickCount, 4));
  const format = scale.tickFormat(tickCount);
  const ticks = scale.ticks(tickCount).map((value) => ({ at: scale(value), label: format(value) }));
  return { scale, ticks, zero: scale(0) };
}

/** The ticks of a horizontal axis whose labels do not run into each other, 0 among them. */
export function spacedTicks(axis: Axis): Tick[] {
  const [first, second] = axis.ticks;
  if (!first || !second) return axis.ticks;
  const longest = Math.max(...axis.ticks.map((each) => textWidth(each.label)));
  const step = second.at - first.at;
  const stride = labelStride(step, longest + TICK_GAP);
  const zero = Math.round((axis.zero - first.at) / step);
  return axis.ticks.filter((_, index) => (index - zero) % stride === 0);
}

/** How far from the left edge a figure begins, so that the labels of its vertical axis are whole. */
export function labelRoom(ticks: readonly Tick[]): number {
  return Math.max(LEFT, ...ticks.map((each) => textWidth(each.label) + TICK_GAP + 2));
}

/** Every how many positions a label fits, if each may need `needed` and positions are `step` apart: 1, 2, 5, 10, 20 … */
export function labelStride(step: number, needed: number): number {
  for (let power = 1; ; power *= 10)
    for (const factor of [1, 2, 5]) if (factor * power * step >= needed) return factor * power;
}

const LEFT = 44;
const TICK_GAP = 6; // px between the labels of two ticks, and between a label and its axis
const CHARACTER = 7; // px of an average character at 12 px

/** About how wide a text is at 12 px of a system font, so that labels can be placed without a browser. */
export function textWidth(text: string): number {
  return text.length * CHARACTER;
}

/** Shortens a text to a width, with an ellipsis; the whole text stands in the title and in the table of the figure. */
export function shortened(text: string, width: number): string {
  const most = Math.floor(width / CHARACTER);
  return text.length <= most ? text : `${text.slice(0, Math.max(most - 1, 1)).trimEnd()}…`;
}
