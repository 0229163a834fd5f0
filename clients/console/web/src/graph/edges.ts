/**
 * Counts the edges of a T-partite graph: one for any two chosen events of a sequence, not only for neighbours.
 * Edges are counted from one node after the other, so that memory grows with nodes and edges, not with pairs of nodes.
 */

import { NO_LEVEL } from "../grid/eventTable";
import type { EventColumns } from "./events";
import { divisors, shownAll } from "./frequency";
import type { Both, EdgeColumns, EdgeCounts, EdgeQuestion, NodeColumns } from "./figure";

/** How many distinct edges of a graph are kept, above the 170,000 of ten times the paper's data; of more, those with the smallest shares are left out. */
export const MAXIMUM_EDGES = 250_000;
/** Joins between two looks at whether a newer question has come; about 5 ms of work. */
const JOINS_PER_SLICE = 1_000_000;

export function countEdges(
  columns: EventColumns,
  question: EdgeQuestion,
  maximumEdges = MAXIMUM_EDGES,
): EdgeCounts {
  const slices = countEdgesInSlices(columns, question, maximumEdges);
  for (;;) {
    const slice = slices.next();
    if (slice.done) return slice.value;
  }
}

/** Does the same with pauses, after which the caller can stop. */
export function* countEdgesInSlices(
  columns: EventColumns,
  question: EdgeQuestion,
  maximumEdges = MAXIMUM_EDGES,
): Generator<void, EdgeCounts> {
  const chosen = chooseEvents(columns, question);
  const nodes = makeNodes(columns, question, chosen);
  const sizes = classSizes(columns, question.variant);
  const kept = new EdgeBuffer(maximumEdges, sizes);
  const counts = { positive: new Uint32Array(nodes.size), negative: new Uint32Array(nodes.size) };
  const touched = new Uint32Array(nodes.size);
  let pause = JOINS_PER_SLICE;
  for (let from = 0; from < nodes.size; from++) {
    const joins = kept.joins;
    countFrom(from, chosen, nodes, counts, touched, kept);
    pause -= kept.joins - joins;
    if (pause < 0) {
      yield;
      pause = JOINS_PER_SLICE;
    }
  }
  const edges = kept.strongest();
  return {
    nodes: nodes.columns,
    edges,
    events: chosen.events,
    sequences: chosen.sequences,
    classSizes: sizes,
    withoutLevel: chosen.withoutLevel,
    distinctEdges: kept.distinct,
    dropped: {
      positive: kept.distinctOf.positive - occurring(edges.positive),
      negative: kept.distinctOf.negative - occurring(edges.negative),
    },
    joins: kept.joins,
  };
}

const occurring = (counts: Uint32Array): number => counts.reduce((sum, n) => sum + (n > 0 ? 1 : 0), 0);

interface ChosenEvents {
  count: number;
  /** Of each chosen event: step and levels in one number. */
  key: Uint32Array;
  /** Of each chosen event: where its sequence ends among the chosen events. */
  end: Uint32Array;
  positive: Uint8Array;
  events: Both<number>;
  sequences: Both<number>;
  withoutLevel: number;
}

function chooseEvents(columns: EventColumns, question: EdgeQuestion): ChosenEvents {
  const { sequence, weight, step, levels } = columns;
  const total = sequence.length;
  const first = (question.attributes[0] ?? 0) * total;
  const second = question.attributes.length > 1 ? (question.attributes[1] ?? 0) * total : -1;
  const [primaries, secondaries] = levelShape(columns, question);
  const [low, high] = question.range;
  const [from, to] = question.steps;
  const key = new Uint32Array(total);
  const end = new Uint32Array(total);
  const positive = new Uint8Array(total);
  const found = { events: [0, 0], sequences: [0, 0] };
  let count = 0;
  let withoutLevel = 0;
  let start = 0;
  let current = -1;
  for (let e = 0; e < total; e++) {
    const w = weight[e] as number;
    const t = step[e] as number;
    if (w < low || w > high || t < from || t > to) continue;
    const s = sequence[e] as number;
    if (columns.variant[s] !== question.variant) continue;
    const p = levels[first + e] as number;
    const q = second < 0 ? 0 : (levels[second + e] as number);
    if (p === NO_LEVEL || q === NO_LEVEL) {
      withoutLevel++;
      continue;
    }
    const side = columns.positive[s] as number;
    if (s !== current) {
      end.fill(count, start, count);
      start = count;
      current = s;
      found.sequences[side] = (found.sequences[side] as number) + 1;
    }
    key[count] = (t * primaries + p) * secondaries + q;
    positive[count] = side;
    found.events[side] = (found.events[side] as number) + 1;
    count++;
  }
  end.fill(count, start, count);
  return {
    count,
    key,
    end,
    positive,
    events: bothOf(found.events),
    sequences: bothOf(found.sequences),
    withoutLevel,
  };
}

const bothOf = (sides: number[]): Both<number> => ({ positive: sides[1] ?? 0, negative: sides[0] ?? 0 });

function levelShape(columns: EventColumns, question: EdgeQuestion): [number, number] {
  const [primary = 0, secondary] = question.attributes;
  const count = (attribute: number): number => columns.levelCounts[attribute] ?? 1;
  return [count(primary), secondary === undefined ? 1 : count(secondary)];
}

interface Nodes {
  size: number;
  columns: NodeColumns;
  /** Of each chosen event: the index of its node. */
  of: Uint32Array;
  /** The chosen events, node by node; node i has those from `starts[i]` to `starts[i + 1]`. */
  members: Uint32Array;
  starts: Uint32Array;
}

/** Nodes are sorted by step, then by primary and secondary level. */
function makeNodes(columns: EventColumns, question: EdgeQuestion, chosen: ChosenEvents): Nodes {
  const [primaries, secondaries] = levelShape(columns, question);
  const [index, size] = numberKeys(columns.steps * primaries * secondaries, chosen);
  const of = new Uint32Array(chosen.count);
  const starts = new Uint32Array(size + 1);
  const found = emptyNodes(size);
  for (let k = 0; k < chosen.count; k++) {
    const key = chosen.key[k] as number;
    const node = (index[key] as number) - 1;
    of[k] = node;
    starts[node + 1] = (starts[node + 1] as number) + 1;
    const side = chosen.positive[k] ? found.positive : found.negative;
    side[node] = (side[node] as number) + 1;
    found.step[node] = Math.floor(key / (primaries * secondaries));
    found.primary[node] = Math.floor(key / secondaries) % primaries;
    found.secondary[node] = key % secondaries;
  }
  for (let node = 0; node < size; node++)
    starts[node + 1] = (starts[node + 1] as number) + (starts[node] as number);
  return { size, columns: found, of, members: byNode(of, starts), starts };
}

function numberKeys(keys: number, chosen: ChosenEvents): [Uint32Array, number] {
  const index = new Uint32Array(keys);
  for (let k = 0; k < chosen.count; k++) index[chosen.key[k] as number] = 1;
  let size = 0;
  for (let key = 0; key < keys; key++) if (index[key]) index[key] = ++size;
  return [index, size];
}

function emptyNodes(size: number): NodeColumns {
  return {
    step: new Uint16Array(size),
    primary: new Uint8Array(size),
    secondary: new Uint8Array(size),
    positive: new Uint32Array(size),
    negative: new Uint32Array(size),
  };
}

function byNode(of: Uint32Array, starts: Uint32Array): Uint32Array {
  const members = new Uint32Array(of.length);
  const next = starts.slice();
  for (let k = 0; k < of.length; k++) {
    const node = of[k] as number;
    const place = next[node] as number;
    members[place] = k;
    next[node] = place + 1;
  }
  return members;
}

/** Joins every event of a node with the later events of its sequence. */
function countFrom(
  from: number,
  chosen: ChosenEvents,
  nodes: Nodes,
  counts: Both<Uint32Array>,
  touched: Uint32Array,
  kept: EdgeBuffer,
): void {
  const { positive, negative } = counts;
  const last = nodes.starts[from + 1] as number;
  let touches = 0;
  for (let m = nodes.starts[from] as number; m < last; m++) {
    const k = nodes.members[m] as number;
    const end = chosen.end[k] as number;
    const side = chosen.positive[k] ? positive : negative;
    for (let j = k + 1; j < end; j++) {
      const to = nodes.of[j] as number;
      if (!positive[to] && !negative[to]) touched[touches++] = to;
      side[to] = (side[to] as number) + 1;
    }
  }
  for (let i = 0; i < touches; i++) {
    const to = touched[i] as number;
    kept.add(from, to, positive[to] as number, negative[to] as number);
    positive[to] = negative[to] = 0;
  }
}

function classSizes(columns: EventColumns, variant: number): Both<number> {
  const sizes = [0, 0];
  for (let s = 0; s < columns.variant.length; s++) {
    const side = columns.positive[s] as number;
    if (columns.variant[s] === variant) sizes[side] = (sizes[side] as number) + 1;
  }
  return bothOf(sizes);
}

/**
 * Edges up to a number; twice that many are collected before the weaker half is dropped. An edge is as strong as its
 * share of the class where that is larger, so that the edges of a rare class do not go first.
 */
class EdgeBuffer {
  distinct = 0;
  /** How many distinct edges occur in each class. */
  readonly distinctOf = { positive: 0, negative: 0 };
  joins = 0;
  #columns = emptyEdges(4096);
  #size = 0;

  constructor(
    private readonly maximum: number,
    private readonly sizes: Both<number>,
  ) {}

  add(from: number, to: number, positive: number, negative: number): void {
    if (this.#size === this.#columns.from.length) this.#makeRoom();
    const { from: froms, to: tos, positive: positives, negative: negatives } = this.#columns;
    froms[this.#size] = from;
    tos[this.#size] = to;
    positives[this.#size] = positive;
    negatives[this.#size] = negative;
    this.#size++;
    this.distinct++;
    if (positive) this.distinctOf.positive++;
    if (negative) this.distinctOf.negative++;
    this.joins += positive + negative;
  }

  strongest(): EdgeColumns {
    if (this.#size > this.maximum) this.#dropWeakest();
    return mapEdges(this.#columns, (each) => each.slice(0, this.#size));
  }

  #makeRoom(): void {
    if (this.#size >= 2 * this.maximum) return this.#dropWeakest();
    const length = Math.min(2 * this.#size, 2 * this.maximum);
    this.#columns = mapEdges(this.#columns, (each) => {
      const longer = new Uint32Array(length);
      longer.set(each);
      return longer;
    });
  }

  #dropWeakest(): void {
    const strength = shownAll(this.#columns, divisors({ classSizes: this.sizes }, "share"), "overlay");
    const order = Uint32Array.from({ length: this.#size }, (_, i) => i);
    order.sort((a, b) => (strength[b] as number) - (strength[a] as number));
    const kept = order.subarray(0, this.maximum).sort();
    this.#columns = mapEdges(this.#columns, (each) => {
      const fewer = new Uint32Array(each.length);
      kept.forEach((i, place) => (fewer[place] = each[i] as number));
      return fewer;
    });
    this.#size = kept.length;
  }
}

function emptyEdges(length: number): EdgeColumns {
  return mapEdges(null, () => new Uint32Array(length));
}

function mapEdges(columns: EdgeColumns | null, map: (column: Uint32Array) => Uint32Array): EdgeColumns {
  const none = new Uint32Array(0);
  return {
    from: map(columns?.from ?? none),
    to: map(columns?.to ?? none),
    positive: map(columns?.positive ?? none),
    negative: map(columns?.negative ?? none),
  };
}
