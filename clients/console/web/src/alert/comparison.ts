/** Two explanations side by side: the same players in the same order, on one scale, with their differences. */

import type { AlertDocument } from "../api/types";
import { eventCount } from "./phrases";
import { effectsOf, interval, isOlder, type Effect, type Level } from "./effects";

export interface Pair {
  key: string;
  /** Whichever is there, for the name. */
  player: Effect;
  left: Effect | null;
  right: Effect | null;
  difference: { value: number; standardError: number; low: number; high: number } | null;
}

/** Whether effects can be subtracted: they must be about the same thing, on the same scale. */
export function subtractable(left: AlertDocument, right: AlertDocument): { ok: boolean; why: string } {
  const [a, b] = [left.explanation.targets[left.target], right.explanation.targets[right.target]];
  if (a?.name !== b?.name)
    return { ok: false, why: "They explain different scores, so no differences are shown." };
  if (left.explanation.options.link !== right.explanation.options.link)
    return { ok: false, why: "Their effects are on different scales, so no differences are shown." };
  const units = new Map(left.explanation.feature_info.map((each) => [each.name, each.unit]));
  const other = right.explanation.feature_info.find(
    (each) => units.has(each.name) && units.get(each.name) !== each.unit,
  );
  if (other)
    return { ok: false, why: `${other.label || other.name} has other units, so no differences are shown.` };
  return { ok: true, why: "" };
}

export function pairs(left: AlertDocument, right: AlertDocument, level: Level): Pair[] {
  const [a, b] = [effects(left, level), effects(right, level)];
  const subtract = subtractable(left, right).ok;
  const keys = [...new Set([...a.keys(), ...b.keys()])];
  const found = keys.map((key): Pair => {
    const [mine, theirs] = [a.get(key) ?? null, b.get(key) ?? null];
    const player = commonPlayer((mine ?? theirs) as Effect, theirs);
    return { key, player, left: mine, right: theirs, difference: subtract ? difference(mine, theirs) : null };
  });
  return found.sort(level === "event" ? newestFirst : strongestFirst);
}

/** The older events of two sequences are as many only by chance; otherwise their number is left out of the name. */
function commonPlayer(player: Effect, other: Effect | null): Effect {
  if (player.kind !== "pruned" || !other || eventCount(player) === eventCount(other)) return player;
  return { ...player, firstT: null, lastT: null };
}

/** All ends of intervals of both sides, so that one scale holds everything. */
export function pairValues(found: readonly Pair[]): { value: number; low: number; high: number }[] {
  return found.flatMap((each) => [each.left, each.right].filter((side) => side !== null));
}

function effects(document: AlertDocument, level: Level): Map<string, Effect> {
  const levels = { event: "event_level", feature: "feature_level", cell: "cell_level" } as const;
  const found = effectsOf(document.explanation[levels[level]], document.target);
  return new Map(found.map((each) => [each.key, each]));
}

/** Both were estimated on their own, so that their variances add up. */
function difference(left: Effect | null, right: Effect | null): Pair["difference"] {
  if (!left || !right) return null;
  return interval(right.value - left.value, Math.hypot(left.standardError, right.standardError));
}

function newestFirst(a: Pair, b: Pair): number {
  const place = (pair: Pair): number => {
    if (pair.player.kind === "event") return -(pair.player.t ?? 0);
    return isOlder(pair.player) ? 1e6 - (pair.player.lastT ?? 0) : 2e6;
  };
  return place(a) - place(b);
}

function strongestFirst(a: Pair, b: Pair): number {
  const size = (pair: Pair): number =>
    Math.max(Math.abs(pair.left?.value ?? 0), Math.abs(pair.right?.value ?? 0));
  return size(b) - size(a);
}
