/** What the grid page has chosen, as the grid and the graphs beside it need it. */

import type { ClassChoice, EventTableSpec, Members } from "../api/types";

/** What a cell tells: the weights of one class, of both together, or positive minus negative. */
export type Selector = ClassChoice | "difference";

/** Warm towards the positive class, as everywhere in the console, or the other way round, as in the paper. */
export type ColourChoice = "console" | "paper";

export interface GridSelection {
  /** Weights as in the table, 0 to 65535; both ends belong to it. */
  range: readonly [number, number];
  /** The first and the last step, both belong to it; 0 is the oldest shown. */
  steps: readonly [number, number];
  /** Indexes of attributes of the table in the order in which they are shown. */
  attributes: readonly number[];
  selector: Selector;
  colours: ColourChoice;
}

/** Where a table of events comes from; members behind a mark are asked for with it. */
export interface TableSource {
  cohort: string;
  spec: EventTableSpec;
}

/** Opens the drawer with the sequences behind a mark. */
export type OpenMembers = (members: Members, title: string) => void;

/** Where a row of the grid stands, in CSS pixels from the top of the grid with its labels. */
export interface RowGeometry {
  attribute: number;
  top: number;
  height: number;
  /** The levels that occur, from top to bottom. */
  levels: readonly { level: number; centre: number }[];
}

/** The state of the pair's graph that the address keeps; only the graph knows what is in it. */
export interface PairView {
  encoding: string;
  annotations: readonly unknown[];
}

/** The largest weight of a table. */
export const MAXIMUM_WEIGHT = 65535;

/** A share from 0 to 1 as a weight of the table. */
export const weightOf = (share: number): number =>
  Math.min(MAXIMUM_WEIGHT, Math.max(0, Math.round(share * MAXIMUM_WEIGHT)));

/** A weight of the table as a share that `weightOf`, and the server, turn into the same weight again. */
export const shareOf = (weight: number): number => weight / MAXIMUM_WEIGHT;
