/** What nodes and edges are called, and how often they occur, in sentences. */

import type { GridAttribute, TableData } from "../api/types";
import type { EventTable } from "../grid/eventTable";
import { count, percent } from "../format/numbers";
import { eventWords } from "../format/words";
import type { Both, EdgeCounts, EdgeQuestion, EdgeRow, Measure, NodeColumns } from "./figure";
import { frequencies } from "./frequency";

type Counted = Pick<EdgeCounts, "nodes" | "classSizes">;

/** "0 – 10 EUR". */
export function levelText(attribute: GridAttribute | undefined, level: number): string {
  const text = attribute?.levels[level] ?? "?";
  return attribute?.unit ? `${text} ${attribute.unit}` : text;
}

/** "Amount 0 – 10 EUR, Device new". */
export function levelsText(
  table: EventTable,
  question: EdgeQuestion,
  nodes: NodeColumns,
  node: number,
): string {
  const levels = [nodes.primary[node] ?? 0, nodes.secondary[node] ?? 0];
  return question.attributes
    .map((attribute, i) => {
      const found = table.header.attributes[attribute];
      return `${found?.label ?? "?"} ${levelText(found, levels[i] ?? 0)}`;
    })
    .join(", ");
}

export const stepWords = (table: EventTable, step: number): string =>
  eventWords(step - (table.header.steps - 1));

/** "outcome: churn", since a class such as "yes" says nothing alone. */
export const className = (table: EventTable, side: keyof Both<unknown>): string =>
  `${table.header.class.name}: ${table.header.class[side]}`;

/** "34 of 1,034 with outcome: churn (3.3 %), 10 of 1,550 with outcome: loyal (0.6 %)". */
export function countsText(table: EventTable, { classSizes }: Counted, counts: Both<number>): string {
  const [positive, negative] = [className(table, "positive"), className(table, "negative")];
  const side = (name: string, n: number, of: number): string =>
    `${count(n)} of ${count(of)} with ${name} (${percent(of ? n / of : 0)})`;
  return `${side(positive, counts.positive, classSizes.positive)}, ${side(negative, counts.negative, classSizes.negative)}`;
}

export function nodeText(table: EventTable, question: EdgeQuestion, counted: Counted, node: number): string {
  const { nodes } = counted;
  const counts = { positive: nodes.positive[node] ?? 0, negative: nodes.negative[node] ?? 0 };
  const where = `${levelsText(table, question, nodes, node)}, ${stepWords(table, nodes.step[node] ?? 0)}`;
  return `${where}: ${countsText(table, counted, counts)} have this event.`;
}

export function edgeText(table: EventTable, question: EdgeQuestion, counted: Counted, edge: EdgeRow): string {
  const { nodes } = counted;
  const end = (node: number): string =>
    `${levelsText(table, question, nodes, node)} (${stepWords(table, nodes.step[node] ?? 0)})`;
  return `${end(edge.from)} → ${end(edge.to)}: ${countsText(table, counted, edge)} have both events.`;
}

/** The strongest edges as a table. */
export function edgeTable(
  table: EventTable,
  questions: readonly EdgeQuestion[],
  counts: readonly Counted[],
  edges: readonly EdgeRow[],
): TableData {
  const [positive, negative] = [className(table, "positive"), className(table, "negative")];
  const titles = ["Earlier event", "Its levels", "Later event", "Its levels"];
  const numbers = [
    positive,
    `Share of ${positive}`,
    negative,
    `Share of ${negative}`,
    "Difference of shares",
  ];
  return {
    columns: [...titles, ...numbers].map((text, i) => ({ name: `column_${i}`, text })),
    rows: edges.map((edge) => {
      const question = questions[edge.question] as EdgeQuestion;
      const counted = counts[edge.question] as Counted;
      const end = (node: number): string[] => [
        stepWords(table, counted.nodes.step[node] ?? 0),
        levelsText(table, question, counted.nodes, node),
      ];
      const share = frequencies(edge, {
        positive: Math.max(1, counted.classSizes.positive),
        negative: Math.max(1, counted.classSizes.negative),
      });
      const shares = [edge.positive, share.positive, edge.negative, share.negative];
      return [...end(edge.from), ...end(edge.to), ...shares, share.positive - share.negative];
    }),
    notes: [],
  };
}

/** What the published design of the graphs leaves open, and what was chosen here. */
export function openWords(measure: Measure): string {
  const size =
    measure === "share"
      ? "divided by the size of the class, so that classes of different sizes compare"
      : "not divided by the size of the class, so that a larger class looks stronger";
  return (
    `The published design leaves open how classes compare: here frequencies are ${size}. ` +
    "It leaves open how opaque lines are: here both classes share one scale, and lines are fainter where there are many."
  );
}
