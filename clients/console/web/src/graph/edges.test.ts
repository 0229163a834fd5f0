import { describe, expect, it } from "vitest";
import { NO_LEVEL } from "../grid/eventTable";
import { randomNumbers, syntheticTable } from "../grid/synthetic";
import { countEdges } from "./edges";
import { columnsOf, type EventColumns } from "./events";
import type { EdgeCounts, EdgeQuestion } from "./figure";

type Tally = Map<string, [number, number]>;

/** Edges and nodes by brute force: all pairs of events of a sequence, counted in a map by their words. */
function bruteForce(columns: EventColumns, question: EdgeQuestion): { nodes: Tally; edges: Tally } {
  const events = columns.sequence.length;
  const bySequence = new Map<number, { step: number; name: string }[]>();
  for (let e = 0; e < events; e++) {
    const levels = question.attributes.map((a) => columns.levels[a * events + e] ?? NO_LEVEL);
    const s = columns.sequence[e] ?? 0;
    const step = columns.step[e] ?? 0;
    const weight = columns.weight[e] ?? 0;
    const inside =
      weight >= question.range[0] &&
      weight <= question.range[1] &&
      step >= question.steps[0] &&
      step <= question.steps[1] &&
      columns.variant[s] === question.variant &&
      !levels.includes(NO_LEVEL);
    if (inside) bySequence.set(s, [...(bySequence.get(s) ?? []), { step, name: `${step}:${levels}` }]);
  }
  const nodes: Tally = new Map();
  const edges: Tally = new Map();
  const add = (tally: Tally, name: string, side: number): void => {
    const found = tally.get(name) ?? [0, 0];
    found[side as 0 | 1]++;
    tally.set(name, found);
  };
  for (const [s, chosen] of bySequence) {
    const side = columns.positive[s] ?? 0;
    for (const a of chosen) {
      add(nodes, a.name, side);
      for (const b of chosen) if (a.step < b.step) add(edges, `${a.name}>${b.name}`, side);
    }
  }
  return { nodes, edges };
}

function tallies(counts: EdgeCounts, attributes: number): { nodes: Tally; edges: Tally } {
  const { nodes, edges } = counts;
  const name = (i: number): string =>
    `${nodes.step[i]}:${attributes > 1 ? [nodes.primary[i], nodes.secondary[i]] : [nodes.primary[i]]}`;
  const nodeTally: Tally = new Map();
  nodes.step.forEach((_, i) => nodeTally.set(name(i), [nodes.negative[i] ?? 0, nodes.positive[i] ?? 0]));
  const edgeTally: Tally = new Map();
  edges.from.forEach((from, i) =>
    edgeTally.set(`${name(from)}>${name(edges.to[i] ?? 0)}`, [
      edges.negative[i] ?? 0,
      edges.positive[i] ?? 0,
    ]),
  );
  return { nodes: nodeTally, edges: edgeTally };
}

function randomColumns(seed: number, variants = 1): EventColumns {
  const columns = columnsOf(
    syntheticTable({ attributes: 4, levels: 5, steps: 7, sequences: 60, seed, missing: 0.1 }),
  );
  const random = randomNumbers(seed + 1000);
  columns.variant.forEach((_, s) => (columns.variant[s] = Math.floor(random() * variants)));
  return columns;
}

describe("edges", () => {
  it("are those of a brute force over all pairs of events, with one attribute and with two", () => {
    for (let seed = 0; seed < 40; seed++) {
      const random = randomNumbers(seed);
      const columns = randomColumns(seed, 2);
      const [low = 0, high = 0] = [random() ** 3, 1 - random() ** 3]
        .map((share) => Math.round(share * 65535))
        .sort((a, b) => a - b);
      const [from = 0, to = 0] = [Math.floor(random() * 7), Math.floor(random() * 7)].sort();
      for (const attributes of [[seed % 4], [seed % 4, (seed + 1 + (seed % 3)) % 4]]) {
        const question = { attributes, range: [low, high], steps: [from, to], variant: seed % 2 } as const;
        const counts = countEdges(columns, question);
        const expected = bruteForce(columns, question);
        expect(tallies(counts, attributes.length)).toEqual(expected);
        expect(counts.distinctEdges).toBe(expected.edges.size);
      }
    }
  });

  it("add up to n (n - 1) / 2 for each sequence with n chosen events", () => {
    const columns = columnsOf(
      syntheticTable({ attributes: 3, levels: 9, steps: 12, sequences: 300, seed: 5 }),
    );
    const counts = countEdges(columns, { attributes: [0, 1], range: [0, 65535], steps: [0, 11], variant: 0 });
    expect(counts.joins).toBe((300 * 12 * 11) / 2);
    expect(counts.events.positive + counts.events.negative).toBe(300 * 12);
    expect(counts.sequences).toEqual(counts.classSizes);
  });

  it("are those with the largest shares of a class if there are too many, and the others are counted", () => {
    const columns = randomColumns(3);
    const question = { attributes: [0, 1], range: [0, 65535], steps: [0, 6], variant: 0 } as const;
    const all = countEdges(columns, question);
    const few = countEdges(columns, question, 50);
    const { classSizes: sizes } = all;
    const shares = ({ edges }: EdgeCounts): number[] =>
      Array.from(edges.positive, (p, i) =>
        Math.max(p / sizes.positive, (edges.negative[i] ?? 0) / sizes.negative),
      ).sort((a, b) => b - a);
    expect(shares(few)).toEqual(shares(all).slice(0, 50));
    const occurring = (counts: Uint32Array): number => counts.filter((n) => n > 0).length;
    expect(all.dropped).toEqual({ positive: 0, negative: 0 });
    for (const side of ["positive", "negative"] as const)
      expect(few.dropped[side]).toBe(occurring(all.edges[side]) - occurring(few.edges[side]));
    expect([few.distinctEdges, few.joins]).toEqual([all.distinctEdges, all.joins]);
    expect(all.distinctEdges).toBeGreaterThan(200);
  });

  it("of a rare class are kept before rarer ones of a frequent class", () => {
    const columns = randomColumns(6);
    columns.positive.fill(0);
    columns.positive[0] = 1;
    const question = { attributes: [0, 1], range: [0, 65535], steps: [0, 6], variant: 0 } as const;
    const few = countEdges(columns, question, 30);
    expect([few.classSizes.positive, few.dropped.positive]).toEqual([1, 0]);
    expect(few.dropped.negative).toBeGreaterThan(0);
  });

  it("are none where nothing is chosen, and events without a level are counted", () => {
    const columns = randomColumns(4);
    columns.levels.fill(NO_LEVEL);
    const counts = countEdges(columns, { attributes: [0], range: [0, 65535], steps: [0, 6], variant: 0 });
    expect([counts.edges.from.length, counts.nodes.step.length, counts.withoutLevel]).toEqual([0, 0, 420]);
    const none = countEdges(columns, { attributes: [0], range: [3, 2], steps: [0, 6], variant: 0 });
    expect([none.edges.from.length, none.withoutLevel]).toEqual([0, 0]);
  });
});
