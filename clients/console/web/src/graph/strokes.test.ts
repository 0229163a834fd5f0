import { describe, expect, it } from "vitest";
import { syntheticTable } from "../grid/synthetic";
import { countEdges } from "./edges";
import { columnsOf } from "./events";
import type { EdgeStyle, FigureRequest } from "./figure";
import { arcHeight, curvePoint, edgePath, type Axes } from "./geometry";
import { pairSlots } from "./slots";
import { buildStrokes, lineAt, STRIDE } from "./strokes";

const columns = columnsOf(syntheticTable({ attributes: 3, levels: 4, steps: 5, sequences: 80, seed: 2 }));
const question = { attributes: [0, 1], range: [20_000, 65_535], steps: [0, 4], variant: 0 } as const;
const counts = countEdges(columns, question);
const { slots, groups } = pairSlots([counts]);

function figure(style: EdgeStyle, arcs = true): FigureRequest {
  return {
    questions: [question],
    plots: [{ question: 0, style, scale: 0, rect: { x: 100, y: 40, width: 400, height: 300 }, arcs }],
    slots: null,
    measure: "share",
    palette: { positive: [178, 24, 43], negative: [33, 102, 172] },
    size: { width: 520, height: 360, pixelRatio: 1 },
  };
}

const shares = (edge: number): [number, number] => [
  (counts.edges.positive[edge] ?? 0) / counts.classSizes.positive,
  (counts.edges.negative[edge] ?? 0) / counts.classSizes.negative,
];

describe("slots", () => {
  it("are the pairs of levels of chosen events, primary levels from top to bottom, without others", () => {
    const present = new Set<string>();
    counts.nodes.primary.forEach((p, i) => present.add(`${p},${counts.nodes.secondary[i]}`));
    expect(new Set(slots.map((slot) => slot.levels.join(",")))).toEqual(present);
    const order = slots.map((slot) => (slot.levels[0] ?? 0) * 1000 + (slot.levels[1] ?? 0));
    expect(order).toEqual([...order].sort((a, b) => a - b));
    expect(slots.every((slot, i) => slot.at > (slots[i - 1]?.at ?? 0) && slot.at < 1)).toBe(true);
    for (const group of groups) {
      const inside = slots.filter((slot) => slot.levels[0] === group.level);
      expect(inside.every((slot) => slot.at > group.from && slot.at < group.to)).toBe(true);
    }
    expect(groups.at(-1)?.to).toBeCloseTo(1);
  });

  it("have the same distance within every primary level", () => {
    const gaps = groups.flatMap((group) => {
      const inside = slots.filter((slot) => slot.levels[0] === group.level).map((slot) => slot.at);
      return inside.slice(1).map((at, i) => at - (inside[i] ?? 0));
    });
    for (const gap of gaps) expect(gap).toBeCloseTo(gaps[0] ?? 0, 10);
  });
});

describe("lines", () => {
  it("come rare first, with a scale that both classes share", () => {
    const { strokes, plots } = buildStrokes(figure("overlay"), [counts], [slots]);
    const { lines } = strokes;
    const largest = Math.max(...Array.from(counts.edges.from, (_, i) => Math.max(...shares(i))));
    expect(plots[0]?.maximum).toBeCloseTo(largest, 12);
    for (let i = 0; i < lines.count; i++) {
      const [positive, negative] = shares(lines.edge[i] ?? 0);
      expect(lines.share[i]).toBeCloseTo((lines.positive[i] ? positive : negative) / largest, 5);
      if (i) expect(lines.share[i] ?? 0).toBeGreaterThanOrEqual((lines.share[i - 1] ?? 0) - 1 / 65_535);
    }
    const both = Array.from(
      counts.edges.positive,
      (p, i) => Number(p > 0) + Number((counts.edges.negative[i] ?? 0) > 0),
    );
    expect(lines.count).toBe(both.reduce((a, b) => a + b, 0));
  });

  it("of the difference have the colour of the class with the larger share", () => {
    const { strokes, plots } = buildStrokes(figure("difference"), [counts], [slots]);
    const { lines } = strokes;
    const differences = Array.from(counts.edges.from, (_, i) => shares(i)[0] - shares(i)[1]);
    expect(lines.count).toBe(differences.filter((value) => value !== 0).length);
    expect(plots[0]?.maximum).toBeCloseTo(Math.max(...differences.map(Math.abs)), 12);
    for (let i = 0; i < lines.count; i++)
      expect(lines.positive[i]).toBe(Number((differences[lines.edge[i] ?? 0] ?? 0) > 0));
  });

  it("of one class leave the other out", () => {
    const { strokes } = buildStrokes(figure("negative"), [counts], [slots]);
    expect(strokes.lines.count).toBe(counts.edges.negative.filter((n) => n > 0).length);
    expect(strokes.lines.positive.subarray(0, strokes.lines.count).every((side) => side === 0)).toBe(true);
  });

  it("end at their nodes; equal levels have arcs of several pieces", () => {
    const request = figure("difference");
    const { strokes } = buildStrokes(request, [counts], [slots]);
    const rect = request.plots[0]?.rect ?? { x: 0, y: 0, width: 0, height: 0 };
    const place = (node: number): [number, number] => {
      const levels = [counts.nodes.primary[node], counts.nodes.secondary[node]].join(",");
      const slot = slots.find((each) => each.levels.join(",") === levels);
      return [
        rect.x + ((counts.nodes.step[node] ?? 0) / 4) * rect.width,
        rect.y + (slot?.at ?? 0) * rect.height,
      ];
    };
    const pieces = new Map<number, number[]>();
    for (let i = 0; i < strokes.count; i++) {
      const line = strokes.line[i] ?? 0;
      pieces.set(line, [...(pieces.get(line) ?? []), i]);
    }
    for (const [line, own] of pieces) {
      const edge = strokes.lines.edge[line] ?? 0;
      const [from, to] = [place(counts.edges.from[edge] ?? 0), place(counts.edges.to[edge] ?? 0)];
      const start = strokes.pieces.subarray((own[0] ?? 0) * STRIDE);
      const end = strokes.pieces.subarray((own.at(-1) ?? 0) * STRIDE);
      [start[0], start[1], end[2], end[3]].forEach((value, i) =>
        expect(value).toBeCloseTo([...from, ...to][i] ?? 0, 3),
      );
      if (from[1] === to[1]) expect(own.length).toBeGreaterThan(5);
      else expect(own.length).toBe(1);
    }
  });

  it("are found under a point, the most frequent one first", () => {
    const { strokes } = buildStrokes(figure("difference"), [counts], [slots]);
    const last = strokes.count - 1;
    const [x0 = 0, y0 = 0, x1 = 0, y1 = 0] = strokes.pieces.subarray(last * STRIDE);
    expect(lineAt(strokes, (x0 + x1) / 2, (y0 + y1) / 2)).toBe(strokes.line[last]);
    expect(lineAt(strokes, 1, 1)).toBe(-1);
  });
});

describe("opacity", () => {
  it("grows with the frequency, with one scale for plots that compare", () => {
    const dense = figure("negative");
    const plots = [
      ...dense.plots,
      { ...dense.plots[0]!, style: "positive" as const, rect: { x: 0, y: 0, width: 3, height: 2 } },
    ];
    const built = buildStrokes({ ...dense, plots }, [counts], [slots]);
    const [left, right] = built.plots;
    expect(left?.opacity).toBe(right?.opacity);
    expect(left?.opacity ?? 1).toBeLessThan(0.95);
    const alone = buildStrokes(dense, [counts], [slots]);
    expect(alone.plots[0]?.opacity ?? 0).toBeGreaterThan(left?.opacity ?? 1);
    const { pieces, count } = alone.strokes;
    const bytes = new Uint8Array(pieces.buffer);
    const alphas = Array.from({ length: count }, (_, i) => bytes[(i * STRIDE + 7) * 4 + 3] ?? 0);
    expect(alphas).toEqual([...alphas].sort((a, b) => a - b));
    expect(alphas.at(-1)).toBe(Math.round((alone.plots[0]?.opacity ?? 0) * 255));
  });
});

describe("arcs", () => {
  const axes: Axes = { rect: { x: 0, y: 0, width: 600, height: 500 }, steps: [0, 11] };

  it("are higher for farther steps, and reach their height in the middle", () => {
    const heights = Array.from({ length: 11 }, (_, i) => arcHeight(axes, i + 1));
    expect(heights).toEqual([...heights].sort((a, b) => a - b));
    expect(new Set(heights).size).toBe(11);
    const [from, to] = [
      { x: 0, y: 100 },
      { x: 300, y: 100 },
    ];
    const [above, below] = [curvePoint(from, to, 40, 0.5), curvePoint(from, to, -40, 0.5)];
    expect([above.x, above.y, below.y].map(Math.round)).toEqual([150, 60, 140]);
    expect(edgePath(from, to, 0)).toBe("M0.00,100.00L300.00,100.00");
  });
});
