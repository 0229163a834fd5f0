/** The question for the sequences behind a node or an edge. */

import type { ClassChoice, Members } from "../api/types";
import { shareOf, type TableSource } from "../grid/selection";
import type { EdgeQuestion, EdgeRow, EdgeStyle, NodeColumns } from "./figure";

/** A graph of one class asks for that class only. */
export const classOf = (style: EdgeStyle): ClassChoice =>
  style === "positive" || style === "negative" ? style : "both";

function common(source: TableSource, question: EdgeQuestion) {
  const variant = source.spec.variants[question.variant];
  const [low, high] = question.range;
  return {
    ...(variant === undefined ? {} : { variant }),
    spec: source.spec,
    weights: [shareOf(low), shareOf(high)] as [number, number],
  };
}

const levelsOf = (question: EdgeQuestion, nodes: NodeColumns, node: number): number[] =>
  [nodes.primary[node] ?? 0, nodes.secondary[node] ?? 0].slice(0, question.attributes.length);

export function nodeMembers(
  source: TableSource,
  question: EdgeQuestion,
  nodes: NodeColumns,
  node: number,
  class_: ClassChoice,
): Members {
  const [primary = 0, secondary = primary] = question.attributes;
  const [first = 0, second = first] = levelsOf(question, nodes, node);
  const step = nodes.step[node] ?? 0;
  return {
    kind: "grid_cell",
    ...common(source, question),
    pair: [primary, secondary],
    levels: [first, second],
    class: class_,
    steps: [step, step],
  };
}

export function edgeMembers(
  source: TableSource,
  question: EdgeQuestion,
  nodes: NodeColumns,
  edge: EdgeRow,
  class_: ClassChoice,
): Members {
  const end = (node: number): { step: number; levels: number[] } => ({
    step: nodes.step[node] ?? 0,
    levels: levelsOf(question, nodes, node),
  });
  return {
    kind: "edge",
    ...common(source, question),
    attributes: [...question.attributes],
    from: end(edge.from),
    to: end(edge.to),
    class: class_,
    steps: [...question.steps],
  };
}
