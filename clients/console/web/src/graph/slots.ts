/** The places of levels on the axes: the same on every axis, and only for levels that are among the chosen events. */

import type { EdgeCounts, Slot, SlotGroup } from "./figure";

/** The space between two primary levels, in units of the space between two secondary ones. */
const GROUP_GAP = 0.9;

export interface PairSlots {
  slots: Slot[];
  groups: SlotGroup[];
}

type Nodes = Pick<EdgeCounts, "nodes">;

/** Primary levels from top to bottom, in each its secondary levels; a primary level is as high as it has levels. */
export function pairSlots(counts: readonly Nodes[]): PairSlots {
  const present = presentLevels(counts);
  const units = [...present.values()].reduce((sum, levels) => sum + levels.length, 0);
  const whole = units + GROUP_GAP * Math.max(0, present.size - 1);
  const slots: Slot[] = [];
  const groups: SlotGroup[] = [];
  let at = 0;
  for (const [primary, secondaries] of present) {
    groups.push({ level: primary, from: at / whole, to: (at + secondaries.length) / whole });
    secondaries.forEach((secondary, i) =>
      slots.push({ levels: [primary, secondary], at: (at + i + 0.5) / whole }),
    );
    at += secondaries.length + GROUP_GAP;
  }
  return { slots, groups };
}

function presentLevels(counts: readonly Nodes[]): Map<number, number[]> {
  const found = new Map<number, Set<number>>();
  for (const { nodes } of counts)
    nodes.primary.forEach((primary, i) => {
      const levels = found.get(primary) ?? new Set<number>();
      levels.add(nodes.secondary[i] ?? 0);
      found.set(primary, levels);
    });
  const ascending = (a: number, b: number): number => a - b;
  return new Map(
    [...found.keys()]
      .sort(ascending)
      .map((primary) => [primary, [...(found.get(primary) ?? [])].sort(ascending)]),
  );
}

/** Finds the height of a node by its levels; -1 for a node that has no place. */
export function slotHeights(slots: readonly Slot[], { nodes }: Nodes): Float32Array {
  const key = (primary: number, secondary: number): number => primary * 256 + secondary;
  const at = new Map(slots.map((slot) => [key(slot.levels[0] ?? 0, slot.levels[1] ?? 0), slot.at]));
  return Float32Array.from(nodes.primary, (p, i) => at.get(key(p, nodes.secondary[i] ?? 0)) ?? -1);
}
