/** What a figure shows now, what the reader points at, and what lies behind it. */

import type { EventTable } from "../grid/eventTable";
import { GraphView } from "./client";
import type { EdgeRow, FigureRequest } from "./figure";
import type { FigureAnswer } from "./messages";
import { moved, nodeAt, type Direction, type PlacedNode } from "./navigation";
import { placeNodes } from "./placement";

/** A node, or one of its edges, or an edge under the pointer. */
export type Mark = { kind: "node"; placed: PlacedNode } | { kind: "edge"; plot: number; row: EdgeRow };

interface ShownFigure {
  request: FigureRequest;
  answer: FigureAnswer;
  nodes: PlacedNode[];
}

export class FigureState {
  shown = $state.raw<ShownFigure | null>(null);
  busy = $state(false);
  failure = $state.raw<unknown>(null);
  /** Where the keyboard is. */
  node = $state.raw<PlacedNode | null>(null);
  /** Which of the node's edges the keyboard is on; -1 for the node itself. */
  edge = $state(-1);
  /** What is under the pointer. */
  hover = $state.raw<Mark | null>(null);
  /** The edges of the node that is shown, the strongest first. */
  edges = $state.raw<EdgeRow[]>([]);
  readonly #view: GraphView;
  #asked: PlacedNode | null = null;
  #pointer: { x: number; y: number } | null = null;
  #looking = false;

  constructor(table: EventTable) {
    this.#view = new GraphView(table);
  }

  async show(request: FigureRequest): Promise<void> {
    this.busy = true;
    try {
      const answer = await this.#view.figure(request);
      if (!answer) return;
      this.shown?.answer.picture?.close();
      this.shown = { request, answer, nodes: placeNodes(request, answer.result) };
      this.failure = null;
      this.#follow();
    } catch (error) {
      this.failure = error;
    }
    this.busy = false;
  }

  /** What the reader points at, or else where the keyboard is. */
  get mark(): Mark | null {
    if (this.hover) return this.hover;
    if (!this.node) return null;
    const row = this.edges[this.edge];
    return row ? { kind: "edge", plot: this.node.plot, row } : { kind: "node", placed: this.node };
  }

  move(direction: Direction): void {
    this.hover = null;
    this.edge = -1;
    this.node = moved(this.shown?.nodes ?? [], this.node, direction);
    void this.#askEdges(this.node);
  }

  /** Goes through the edges of the node; before the first is the node itself. */
  moveEdge(by: 1 | -1): void {
    this.hover = null;
    this.edge = Math.max(-1, Math.min(this.edges.length - 1, this.edge + by));
  }

  /** Looks what is under the pointer; while the worker looks for edges only the latest place is kept. */
  async point(x: number, y: number): Promise<void> {
    const placed = nodeAt(this.shown?.nodes ?? [], x, y);
    this.#pointer = { x, y };
    if (placed) return this.#pointNode(placed);
    if (this.#looking) return;
    this.#looking = true;
    while (this.#pointer) {
      const place: { x: number; y: number } = this.#pointer;
      this.#pointer = null;
      const hit = await this.#view.hit(place.x, place.y);
      if (this.#looking) this.hover = hit ? { kind: "edge", ...hit } : null;
    }
    this.#looking = false;
  }

  leave(): void {
    this.#pointer = null;
    this.#looking = false;
    this.hover = null;
    void this.#askEdges(this.node);
  }

  close(): void {
    this.shown?.answer.picture?.close();
    this.#view.close();
  }

  async #pointNode(placed: PlacedNode): Promise<void> {
    this.#pointer = null;
    this.#looking = false;
    this.hover = { kind: "node", placed };
    await this.#askEdges(placed);
  }

  async #askEdges(placed: PlacedNode | null): Promise<void> {
    if (placed === this.#asked) return;
    this.#asked = placed;
    this.edges = [];
    const question = placed ? this.shown?.request.plots[placed.plot]?.question : undefined;
    if (!placed || question === undefined) return;
    const edges = await this.#view.edgesOf(question, placed.node);
    if (this.#asked === placed) this.edges = edges;
  }

  /** Keeps the keyboard where it was, if the place still has a node. */
  #follow(): void {
    const old = this.node;
    this.hover = null;
    this.edge = -1;
    this.#asked = null;
    this.node = old
      ? (this.shown?.nodes.find(
          (each) => each.plot === old.plot && Math.hypot(each.x - old.x, each.y - old.y) < 1,
        ) ?? null)
      : null;
    void this.#askEdges(this.node);
  }
}
