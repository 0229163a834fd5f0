/** Counts and builds a figure, and remembers it for questions about what lies where. */

import { countEdgesInSlices, MAXIMUM_EDGES } from "./edges";
import type { EventColumns } from "./events";
import type {
  EdgeCounts,
  EdgeHit,
  EdgeQuestion,
  EdgeRow,
  EdgeStyle,
  FigureRequest,
  FigureResult,
  Slot,
} from "./figure";
import { at, divisors, frequencies, shown, shownAll } from "./frequency";
import { pairSlots } from "./slots";
import { buildStrokes, lineAt, type Strokes } from "./strokes";

/** How many edges the table of the strongest has. */
export const STRONGEST = 200;
/** Distinct edges of a whole figure that are kept, shared by its questions. */
const FIGURE_EDGES = 3 * MAXIMUM_EDGES;
/** What each question may keep however many there are: the edges of ten times the paper's data. */
const LEAST_EDGES = 170_000;

export interface BuiltView {
  result: FigureResult;
  strokes: Strokes;
}

/** The figure of one place on the page. */
export class FigureEngine {
  #request: FigureRequest | null = null;
  #counts: EdgeCounts[] = [];
  #built: BuiltView | null = null;

  constructor(private readonly columns: EventColumns) {}

  /** Makes the figure, with pauses after which the caller can stop. Questions that stay the same are not counted again. */
  *make(request: FigureRequest): Generator<void, BuiltView> {
    const start = performance.now();
    const share = Math.floor(FIGURE_EDGES / Math.max(1, request.questions.length));
    const most = Math.min(MAXIMUM_EDGES, Math.max(LEAST_EDGES, share));
    const counts: EdgeCounts[] = [];
    for (const question of request.questions) {
      counts.push(this.#known(question) ?? (yield* countEdgesInSlices(this.columns, question, most)));
      yield;
    }
    const counted = performance.now();
    const pair = request.slots ? null : pairSlots(counts);
    const slots = request.slots ?? counts.map((): Slot[] => pair?.slots ?? []);
    const { strokes, plots } = buildStrokes(request, counts, slots);
    const result: FigureResult = {
      counts: counts.map(({ edges: _, ...numbers }) => numbers),
      strongest: strongestEdges(request, counts),
      slots: slots.map((each) => [...each]),
      groups: pair?.groups ?? [],
      plots,
      renderer: "",
      milliseconds: { count: counted - start, build: performance.now() - counted, draw: 0 },
    };
    this.#request = request;
    this.#counts = counts;
    return (this.#built = { result, strokes });
  }

  #known(question: EdgeQuestion): EdgeCounts | undefined {
    const text = JSON.stringify(question);
    const index = this.#request?.questions.findIndex((each) => JSON.stringify(each) === text) ?? -1;
    return this.#counts[index];
  }

  /** Finds the most frequent edge near a point. */
  hit(x: number, y: number): EdgeHit | null {
    const strokes = this.#built?.strokes;
    const line = strokes ? lineAt(strokes, x, y) : -1;
    if (!strokes || line < 0) return null;
    const plot = strokes.lines.plot[line] as number;
    const question = this.#request?.plots[plot]?.question ?? 0;
    const counts = this.#counts[question] as EdgeCounts;
    return { plot, row: edgeRow(counts, question, strokes.lines.edge[line] as number) };
  }

  /** Returns the edges of a node, the strongest first. */
  edgesOf(question: number, node: number): EdgeRow[] {
    const counts = this.#counts[question];
    if (!counts || !this.#request) return [];
    const { from, to } = counts.edges;
    const found: EdgeRow[] = [];
    for (let i = 0; i < from.length; i++)
      if (from[i] === node || to[i] === node) found.push(edgeRow(counts, question, i));
    return strongestFirst(found, this.#request, this.#counts).slice(0, STRONGEST);
  }
}

const edgeRow = ({ edges }: EdgeCounts, question: number, i: number): EdgeRow => ({
  question,
  from: edges.from[i] ?? 0,
  to: edges.to[i] ?? 0,
  ...at(edges, i),
});

function strengthStyle(request: FigureRequest): EdgeStyle {
  return request.plots.some((plot) => plot.style === "difference") ? "difference" : "overlay";
}

function strongestFirst(rows: EdgeRow[], request: FigureRequest, counts: readonly EdgeCounts[]): EdgeRow[] {
  const style = strengthStyle(request);
  const strength = (row: EdgeRow): number => {
    const each = frequencies(row, divisors(counts[row.question] as EdgeCounts, request.measure));
    return Math.abs(shown(style, each.positive, each.negative));
  };
  const keyed = rows.map((row) => ({ row, strength: strength(row) }));
  return keyed.sort((a, b) => b.strength - a.strength).map((each) => each.row);
}

/** Looks for the strength of the last edge that is kept first, so that no list of all edges is made. */
function strongestEdges(request: FigureRequest, counts: readonly EdgeCounts[]): EdgeRow[] {
  const style = strengthStyle(request);
  const strengths = counts.map((each) =>
    shownAll(each.edges, divisors(each, request.measure), style).map(Math.abs),
  );
  const best = strengths.map((each) => each.toSorted().subarray(-STRONGEST));
  const least = best.flatMap((each) => [...each]).sort((a, b) => b - a)[STRONGEST - 1] ?? 0;
  const rows: EdgeRow[] = [];
  counts.forEach((each, question) => {
    let ties = STRONGEST;
    strengths[question]?.forEach((strength, i) => {
      if (strength > least || (strength === least && strength > 0 && ties-- > 0))
        rows.push(edgeRow(each, question, i));
    });
  });
  return strongestFirst(rows, request, counts).slice(0, STRONGEST);
}
