/** What a figure of T-partite graphs is asked for with, and what comes back; both cross to the worker and back. */

/** How edges of the two classes are drawn in one graph. */
export type EdgeStyle = "overlay" | "difference" | "positive" | "negative";

/** Shares of the sequences of each class, or plain counts. */
export type Measure = "share" | "count";

/** Which events are chosen, and of which attributes their levels are. */
export interface EdgeQuestion {
  /** One attribute, or the primary and the secondary one. */
  attributes: readonly number[];
  /** Weights from 0 to 65535; both ends belong to it. */
  range: readonly [number, number];
  /** Both ends belong to it. */
  steps: readonly [number, number];
  /** An index into the variants of the table. */
  variant: number;
}

export interface Rect {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** A place on every axis: a level, or a pair of levels. `at` is its height as a share of the plot, 0 on top. */
export interface Slot {
  levels: readonly number[];
  at: number;
}

/** A primary level with the part of the axis that its secondary levels share. */
export interface SlotGroup {
  level: number;
  from: number;
  to: number;
}

/** One graph of a figure. */
export interface PlotRequest {
  /** An index into the questions. */
  question: number;
  style: EdgeStyle;
  /** Plots with the same number have the same scale of opacity. */
  scale: number;
  rect: Rect;
  /** Whether equal levels are joined by arcs instead of straight lines. */
  arcs: boolean;
}

export type Rgb = readonly [number, number, number];

export interface Palette {
  positive: Rgb;
  negative: Rgb;
}

export interface FigureRequest {
  questions: readonly EdgeQuestion[];
  plots: readonly PlotRequest[];
  /** The slots of each question; null where they follow from what is chosen, the same for all questions. */
  slots: readonly (readonly Slot[])[] | null;
  measure: Measure;
  palette: Palette;
  size: { width: number; height: number; pixelRatio: number };
}

/** Of both classes. */
export interface Both<T> {
  positive: T;
  negative: T;
}

/** A (step, level) that a chosen event has, with the number of such events in each class. */
export interface NodeColumns extends Both<Uint32Array> {
  step: Uint16Array;
  primary: Uint8Array;
  /** 0 if there is one attribute only. */
  secondary: Uint8Array;
}

/** From one node to a later one, with the number of sequences in each class that have both. */
export interface EdgeColumns extends Both<Uint32Array> {
  from: Uint32Array;
  to: Uint32Array;
}

export interface EdgeCounts {
  nodes: NodeColumns;
  edges: EdgeColumns;
  /** Chosen events that have a level. */
  events: Both<number>;
  /** Sequences with at least one of them. */
  sequences: Both<number>;
  /** All sequences of the variant: what shares are of. */
  classSizes: Both<number>;
  /** Chosen events left out because a level is not known. */
  withoutLevel: number;
  /** How many distinct edges there are, those that were not kept included. */
  distinctEdges: number;
  /** Of each class, how many of its distinct edges were not kept. */
  dropped: Both<number>;
  /** How often any two chosen events were joined: the sum of the counts of all distinct edges. */
  joins: number;
}

export interface PlotResult {
  /** The largest frequency of an edge, common to all plots of the same scale. */
  maximum: number;
  /** The same of nodes. */
  nodeMaximum: number;
  drawnLines: number;
  /** The opacity of the most frequent line, common to all plots of the same scale. */
  opacity: number;
  /** Whether lines of the negative class are dashed. */
  dashed: boolean;
}

/** An edge with its counts. */
export interface EdgeRow extends Both<number> {
  /** An index into the questions. */
  question: number;
  /** Indexes of nodes. */
  from: number;
  to: number;
}

export interface FigureResult {
  /** Of each question; edges stay in the worker, apart from the strongest. */
  counts: Omit<EdgeCounts, "edges">[];
  /** The strongest edges of all questions, strongest first. */
  strongest: EdgeRow[];
  /** The slots of each question. */
  slots: Slot[][];
  /** Of a pair: the primary levels from top to bottom. */
  groups: SlotGroup[];
  plots: PlotResult[];
  /** The program that draws lines, for the details on the page. */
  renderer: string;
  milliseconds: { count: number; build: number; draw: number };
}

/** What lies under a point: an edge of a plot. */
export interface EdgeHit {
  plot: number;
  row: EdgeRow;
}
