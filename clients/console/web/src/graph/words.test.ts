import { describe, expect, it } from "vitest";
import { syntheticTable } from "../grid/synthetic";
import { countEdges } from "./edges";
import { readEncoding, stylesOf, writeEncoding } from "./encoding";
import { FigureEngine, STRONGEST } from "./engine";
import { columnsOf } from "./events";
import type { FigureRequest } from "./figure";
import { classOf, edgeMembers, nodeMembers } from "./members";
import { edgeTable, edgeText, nodeText } from "./words";

const table = syntheticTable({ attributes: 3, levels: 4, steps: 5, sequences: 200, seed: 3 });
const question = { attributes: [0, 1], range: [6554, 65_535], steps: [0, 4], variant: 0 } as const;
const columns = columnsOf(table);
const counts = countEdges(columns, question);
const source = {
  cohort: "paper",
  spec: {
    variants: ["original"],
    weight: "attribution",
    class: { kind: "label", key: "outcome", positive: "churn" },
    bins: { kind: "quantile", count: 9 },
    steps: 12,
  },
} as const;

describe("readouts", () => {
  it("name levels, time and both classes with their shares", () => {
    const node = counts.nodes.step.indexOf(4);
    const text = nodeText(table, question, counts, node);
    const n = counts.nodes.positive[node] ?? 0;
    expect(text).toMatch(/^Attribute A .+, Attribute B .+, latest event: /);
    expect(text).toContain(`${n} of ${counts.classSizes.positive} with outcome: churn (`);
    const edge = {
      question: 0,
      from: counts.edges.from[0] ?? 0,
      to: counts.edges.to[0] ?? 0,
      positive: 3,
      negative: 0,
    };
    expect(edgeText(table, question, counts, edge)).toMatch(/ before the latest\) → Attribute A .+: 3 of /);
  });
});

describe("the sequences behind a mark", () => {
  it("are asked for with the levels, the step and the weights of the page", () => {
    const node = counts.nodes.step.indexOf(3);
    const members = nodeMembers(
      { ...source, spec: { ...source.spec, variants: ["original"] } },
      question,
      counts.nodes,
      node,
      "both",
    );
    expect(members).toMatchObject({
      kind: "grid_cell",
      variant: "original",
      pair: [0, 1],
      levels: [counts.nodes.primary[node], counts.nodes.secondary[node]],
      steps: [3, 3],
      class: "both",
    });
    const weights = members.kind === "grid_cell" ? members.weights : [];
    expect(weights.map((share) => Math.round(share * 65_535))).toEqual([6554, 65_535]);
    const single = { ...question, attributes: [2] };
    const own = countEdges(columns, single);
    const edge = {
      question: 0,
      from: own.edges.from[0] ?? 0,
      to: own.edges.to[0] ?? 0,
      positive: 1,
      negative: 1,
    };
    const spec = { ...source.spec, variants: ["original"] };
    expect(edgeMembers({ ...source, spec }, single, own.nodes, edge, "positive")).toMatchObject({
      kind: "edge",
      attributes: [2],
      from: { step: own.nodes.step[edge.from], levels: [own.nodes.primary[edge.from]] },
      steps: [0, 4],
      class: "positive",
    });
    expect([classOf("overlay"), classOf("difference"), classOf("negative")]).toEqual([
      "both",
      "both",
      "negative",
    ]);
  });
});

describe("the table of the strongest edges", () => {
  it("has those of a sort of all edges, the strongest first", () => {
    const request: FigureRequest = {
      questions: [question],
      plots: [
        { question: 0, style: "difference", scale: 0, rect: { x: 0, y: 0, width: 9, height: 9 }, arcs: true },
      ],
      slots: null,
      measure: "share",
      palette: { positive: [1, 2, 3], negative: [4, 5, 6] },
      size: { width: 9, height: 9, pixelRatio: 1 },
    };
    const slices = new FigureEngine(columns).make(request);
    let slice = slices.next();
    while (!slice.done) slice = slices.next();
    const { strongest, counts: numbers } = slice.value.result;
    const difference = (p: number, n: number): number =>
      Math.abs(p / counts.classSizes.positive - n / counts.classSizes.negative);
    const all = Array.from(counts.edges.positive, (p, i) => difference(p, counts.edges.negative[i] ?? 0));
    const expected = all.sort((a, b) => b - a).slice(0, STRONGEST);
    expect(strongest.map((edge) => difference(edge.positive, edge.negative))).toEqual(expected);
    const data = edgeTable(table, [question], numbers, strongest);
    expect(data.rows.length).toBe(STRONGEST);
    expect(data.rows[0]?.length).toBe(data.columns.length);
    expect(Math.abs(Number(data.rows[0]?.at(-1)))).toBeCloseTo(expected[0] ?? 0, 12);
  });
});

describe("the encoding in the address", () => {
  it("comes back as it was, and is the usual one for other words", () => {
    for (const encoding of ["difference", "overlay", "beside"] as const)
      for (const measure of ["share", "count"] as const)
        expect(readEncoding(writeEncoding({ encoding, measure }), "difference")).toEqual({
          encoding,
          measure,
        });
    expect(readEncoding("pie", "beside")).toEqual({ encoding: "beside", measure: "share" });
    expect(stylesOf("beside")).toEqual(["negative", "positive"]);
  });
});
