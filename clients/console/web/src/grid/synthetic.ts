/** Tables of events made by rules, for tests and measurements. No page imports it. */

import type { EventTableHeader, GridAttribute } from "../api/types";
import type { EventTable } from "./eventTable";
import { NO_LEVEL } from "./eventTable";

export interface SyntheticSize {
  attributes: number;
  /** On average; attribute k has between half and one and a half times as many. */
  levels: number;
  steps: number;
  sequences: number;
  seed: number;
  /** The share of values that are missing. */
  missing?: number;
}

/** The size of the paper's data: 14 attributes, 9 levels, 12 steps, 2,584 sequences, 31,008 events. */
export const PAPER_SIZE: SyntheticSize = { attributes: 14, levels: 9, steps: 12, sequences: 2584, seed: 1 };

/** Numbers in [0, 1) from a seed (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** A table in which small levels are frequent, and the positive class has smaller levels late in the sequence. */
export function syntheticTable(size: SyntheticSize): EventTable {
  const random = randomNumbers(size.seed);
  const attributes = Array.from({ length: size.attributes }, (_, k) => attribute(k, size.levels));
  const events = size.sequences * size.steps;
  const positive = Uint8Array.from({ length: size.sequences }, () => (random() < 0.4 ? 1 : 0));
  const table: EventTable = {
    header: header(size, attributes, positive),
    sequence: Uint32Array.from({ length: events }, (_, e) => Math.floor(e / size.steps)),
    weight: new Uint16Array(events),
    step: Uint8Array.from({ length: events }, (_, e) => e % size.steps),
    levels: new Uint8Array(events * attributes.length),
    positive,
    variant: new Uint8Array(size.sequences),
    row: Uint32Array.from({ length: size.sequences }, (_, s) => s),
  };
  for (let e = 0; e < events; e++) table.weight[e] = Math.round(random() ** 2 * 65535);
  attributes.forEach((each, k) => {
    for (let e = 0; e < events; e++) {
      const late = (e % size.steps) / size.steps;
      const skew = 2 + 3 * late * (positive[Math.floor(e / size.steps)] ?? 0) * ((k % 3) / 2);
      const level = Math.min(each.levels.length - 1, Math.floor(random() ** skew * each.levels.length));
      table.levels[k * events + e] = random() < (size.missing ?? 0) ? NO_LEVEL : level;
    }
  });
  return table;
}

function attribute(k: number, levels: number): GridAttribute {
  const count = Math.max(2, Math.round(levels * (0.5 + ((k * 5) % 14) / 13)));
  const kind = (["numeric", "ordinal", "categorical"] as const)[k % 3] ?? "numeric";
  const found: GridAttribute = {
    name: `attribute_${k}`,
    label: `Attribute ${String.fromCharCode(65 + (k % 26))}`,
    unit: kind === "numeric" ? "EUR" : "",
    kind,
    levels: Array.from({ length: count }, (_, i) => levelText(kind, i)),
  };
  return kind === "numeric"
    ? { ...found, edges: Array.from({ length: count + 1 }, (_, i) => i * 10) }
    : found;
}

function levelText(kind: GridAttribute["kind"], i: number): string {
  if (kind === "numeric") return `${i * 10} – ${(i + 1) * 10}`;
  return kind === "ordinal" ? String(i) : `kind ${i + 1}`;
}

function header(size: SyntheticSize, attributes: GridAttribute[], positive: Uint8Array): EventTableHeader {
  const positives = positive.reduce((sum, one) => sum + one, 0);
  return {
    version: 1,
    variants: ["original"],
    events: size.sequences * size.steps,
    sequences: size.sequences,
    steps: size.steps,
    stepDtype: "uint8",
    attributes,
    class: {
      name: "outcome",
      positive: "churn",
      negative: "loyal",
      positives,
      negatives: size.sequences - positives,
    },
    weight: { kind: "attribution", text: "size of the event's effect", maximum: 65535 },
    leftOut: {
      prunedEvents: 0,
      sequencesWithoutClass: 0,
      olderEvents: 0,
      unmatched: 0,
      eventsWithoutWeight: 0,
    },
  };
}
