/** Vertical bars over time, the latest event on the right: TimeSHAP's figures 5b and 5e. Older events stand apart, left. */

import { isOlder, type Effect } from "../effects";
import { extentWithZero, labelRoom, labelStride, textWidth, valueAxis, type Tick } from "./axis";

export interface Column {
  key: string;
  effect: Effect;
  x: number;
  width: number;
  y: number;
  height: number;
  middle: number;
  positive: boolean;
  whisker: { from: number; to: number } | null;
  /** Empty where there is no room for it. */
  text: string;
  textY: number;
}

export interface EventBarsGeometry {
  width: number;
  height: number;
  left: number;
  plotTop: number;
  plotBottom: number;
  zero: number;
  ticks: Tick[];
  labels: Tick[];
  columns: Column[];
  /** Between the older events and those told apart; null if all are. */
  divider: number | null;
}

const RIGHT = 8;
const TOP = 22;
const PLOT = 190;
const BOTTOM = 42;
const OLDER_GAP = 14;
const NARROWEST = 3; // px of one event; more events make the figure wider than its place, which then scrolls
const WIDEST = 110;
const NUMBER_WIDTH = 46;

export function eventBars(
  effects: readonly Effect[],
  text: (value: number) => string,
  place: number,
  domain: [number, number] = extentWithZero(effects.flatMap((each) => [each.low, each.high, each.value])),
): EventBarsGeometry {
  const older = effects.filter(isOlder).sort((a, b) => (a.lastT ?? 0) - (b.lastT ?? 0));
  const events = effects.filter((each) => each.kind === "event").sort((a, b) => (a.t ?? 0) - (b.t ?? 0));
  const others = effects.filter((each) => !isOlder(each) && each.kind !== "event");
  const first = [...others, ...older];
  const gap = first.length && events.length ? OLDER_GAP : 0;
  const count = Math.max(first.length + events.length, 1);
  const axis = valueAxis(domain, [TOP + PLOT, TOP], 5);
  const left = labelRoom(axis.ticks);
  const step = Math.max(Math.min((place - left - RIGHT - gap) / count, WIDEST), NARROWEST);
  const columns = [...first, ...events].map((each, index) =>
    column(each, left + index * step + (index < first.length ? 0 : gap), step, axis.scale, text),
  );
  return {
    width: Math.max(left + count * step + gap + RIGHT, Math.min(place, 280)),
    height: TOP + PLOT + BOTTOM,
    left,
    plotTop: TOP,
    plotBottom: TOP + PLOT,
    zero: axis.zero,
    ticks: axis.ticks,
    labels: columnLabels(columns, step),
    columns,
    divider: gap ? left + first.length * step + gap / 2 : null,
  };
}

function column(
  effect: Effect,
  x: number,
  step: number,
  scale: (value: number) => number,
  text: (value: number) => string,
): Column {
  const [zero, end] = [scale(0), scale(effect.value)];
  const padding = Math.min(step * 0.15, 6);
  const positive = effect.value >= 0;
  const beyond = positive ? Math.min(end, scale(effect.high)) - 5 : Math.max(end, scale(effect.low)) + 13;
  return {
    key: effect.key,
    effect,
    x: x + padding,
    width: step - 2 * padding,
    y: Math.min(zero, end),
    height: Math.abs(end - zero),
    middle: x + step / 2,
    positive,
    whisker: effect.standardError > 0 ? { from: scale(effect.low), to: scale(effect.high) } : null,
    text: step >= NUMBER_WIDTH ? text(effect.value) : "",
    textY: beyond,
  };
}

/** Labels counted from the latest event, so that it always has one, as far apart as their widths need. */
function columnLabels(columns: readonly Column[], step: number): Tick[] {
  const events = columns.filter((each) => each.effect.kind === "event");
  const longest = Math.max(...events.map((each) => textWidth(eventLabel(each.effect))), textWidth("latest"));
  const stride = labelStride(step, longest + 6);
  const labels = events
    .filter((each) => (each.effect.t ?? 0) % stride === 0)
    .map((each) => ({ at: each.middle, label: eventLabel(each.effect) }));
  const older = columns.filter((each) => each.effect.kind !== "event");
  const room = step * older.length + OLDER_GAP;
  if (!older.length || room < textWidth(olderLabel(older)) / 2) return labels;
  const middle = ((older[0]?.middle ?? 0) + (older.at(-1)?.middle ?? 0)) / 2;
  const half = textWidth(olderLabel(older)) / 2 + 6;
  const clear = labels.filter((each) => each.at - textWidth(each.label) / 2 > middle + half);
  return [{ at: middle, label: olderLabel(older) }, ...clear];
}

function eventLabel(effect: Effect): string {
  return effect.t === 0 ? "latest" : `${effect.t}`.replace("-", "−");
}

function olderLabel(older: readonly Column[]): string {
  if (older.some((each) => !isOlder(each.effect))) return "no event, older";
  const first = Math.min(...older.map(({ effect }) => effect.firstT ?? 0));
  const last = Math.max(...older.map(({ effect }) => effect.lastT ?? 0));
  return `${last - first + 1} older`;
}
