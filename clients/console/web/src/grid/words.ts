/** The words of the grid: what is shown, levels of a cell, numbers of very different sizes. */

import type { EventTableHeader, GridAttribute } from "../api/types";
import { count, counted } from "../format/numbers";
import type { Selector } from "./selection";

export type MeasureName = "saliency" | "variance";

type ClassWords = EventTableHeader["class"];

/** Which classes a value is about: "churn minus loyal". */
export function selectorWords(selector: Selector, { positive, negative }: ClassWords): string {
  if (selector === "difference") return `${positive} minus ${negative}`;
  if (selector === "both") return `${positive} and ${negative} together`;
  return `only ${selector === "positive" ? positive : negative}`;
}

export const MEASURE_WORDS: Record<MeasureName, string> = {
  saliency: "Weight per sequence",
  variance: "Variance over time",
};

/** Where a value points: "more in churn". Empty where a value has no sign. */
export function directionWords(
  value: number,
  selector: Selector,
  { positive, negative }: ClassWords,
): string {
  if (selector !== "difference" || value === 0) return "";
  return `more in ${value > 0 ? positive : negative}`;
}

/** An attribute with one of its levels: "Usage 10 – 20 EUR". */
export function levelWords(attribute: GridAttribute, level: number): string {
  const unit = attribute.unit && attribute.kind !== "categorical" ? ` ${attribute.unit}` : "";
  return `${attribute.label} ${attribute.levels[level] ?? ""}${unit}`;
}

const KINDS: Record<GridAttribute["kind"], string> = {
  numeric: "number",
  ordinal: "ordered levels",
  categorical: "categories",
};

/** What kind of attribute it is, and its range or its levels: one line of the legend. */
export function attributeWords(attribute: GridAttribute): string {
  const { kind, levels, edges, unit } = attribute;
  if (kind === "numeric" && edges && edges.length > 1) {
    const ends = `${valueText(edges[0]!)} to ${valueText(edges.at(-1)!)}${unit ? ` ${unit}` : ""}`;
    return `${KINDS[kind]}, ${ends}, ${counted(levels.length, "bin")}`;
  }
  const list = levels.length > 4 ? [...levels.slice(0, 3), "…", levels.at(-1)!] : levels;
  return `${KINDS[kind]}${unit ? ` (${unit})` : ""}: ${list.join(", ")}${levels.length > 4 ? ` (${levels.length})` : ""}`;
}

/** A number with three significant figures; very small ones as "1.2 × 10⁻⁶". */
export function valueText(value: number): string {
  const size = Math.abs(value);
  const sign = value < 0 ? "−" : "";
  if (size === 0) return "0";
  if (size >= 1000) return sign + count(Math.round(size));
  if (size >= 0.0001) return sign + String(Number(size.toPrecision(3)));
  const [digits = "", power = ""] = size.toExponential(1).split("e");
  return `${sign}${digits.replace(".0", "")} × 10${superscript(Number(power))}`;
}

export const signedText = (value: number): string => (value > 0 ? `+${valueText(value)}` : valueText(value));

function superscript(power: number): string {
  const digits = String(Math.abs(power)).replaceAll(/\d/g, (digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(digit)]!);
  return (power < 0 ? "⁻" : "") + digits;
}

/** In which unit the numbers of a matrix are written, so that they are short: the largest is 2 to 2,000. */
export interface NumberUnit {
  factor: number;
  /** Such as "in thousandths"; empty for ones. */
  text: string;
}

const UNITS: readonly NumberUnit[] = [
  { factor: 1, text: "" },
  { factor: 1e3, text: "in thousandths" },
  { factor: 1e6, text: "in millionths" },
  { factor: 1e9, text: "in billionths" },
];

export function numberUnit(largest: number): NumberUnit {
  return UNITS.find(({ factor }) => largest * factor >= 2) ?? UNITS[largest > 0 ? 3 : 0]!;
}

/** A value of a matrix in its unit: a sign where values have one, and about two figures. */
export function cellNumber(value: number, unit: NumberUnit, selector: Selector): string {
  const scaled = Math.abs(value) * unit.factor;
  if (scaled === 0) return "0";
  const sign = value < 0 ? "−" : selector === "difference" ? "+" : "";
  if (scaled < 0.05) return `${sign}0.0`;
  return sign + (scaled >= 9.95 ? count(Math.round(scaled)) : scaled.toFixed(1));
}

/** What is known of a cell: "Usage 0 – 10 with Support 3: +0.012, more in churn; 34 events of churn, 12 of loyal". */
export interface CellFacts {
  levels: string[];
  measure: MeasureName;
  value: number;
  /** Events of the positive and of the negative class. */
  events: readonly [number, number];
}

export function cellWords(facts: CellFacts, selector: Selector, words: ClassWords): string {
  const direction = directionWords(facts.value, selector, words);
  const [positive, negative] = facts.events;
  const value = selector === "difference" ? signedText(facts.value) : valueText(facts.value);
  return (
    `${facts.levels.join(" with ")}: ${MEASURE_WORDS[facts.measure].toLowerCase()} ` +
    `(${selectorWords(selector, words)}) ${value}${direction ? `, ${direction}` : ""}; ` +
    `${counted(positive, "event")} of ${words.positive}, ${count(negative)} of ${words.negative}`
  );
}
