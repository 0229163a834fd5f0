/** What an explanation was computed with, in words for the head of the page. */

import type { AlertDocument, Threshold } from "../api/types";
import { count, margin, plainNumber } from "../format/numbers";
import { dateTime } from "../format/times";

export interface Fact {
  name: string;
  text: string;
  /** Shown when somebody points at it. */
  more: string;
}

export function headline(document: AlertDocument): string {
  return (
    document.explanation.caller_id ||
    (document.source.kind === "cohort" ? `Row ${document.source.row}` : document.id.slice(0, 12))
  );
}

const SOURCES: Record<Threshold["source"], string> = {
  label: "sent with the request",
  setting: "set by the operator",
  default: "the default",
  none: "",
};

export function thresholdText(threshold: Threshold): string {
  if (threshold.value === null) return "no threshold";
  return `threshold ${plainNumber(threshold.value, 4).replace(/0+$/, "")} (${SOURCES[threshold.source]})`;
}

/** What the score means beside the threshold; without one that somebody has set, nobody has called it an alert. */
export function decisionWords(document: AlertDocument, alert: boolean): string {
  if (document.source.kind === "cohort" || document.threshold.source === "default")
    return alert ? "Above the threshold" : "Below the threshold";
  return alert ? "Alert" : "No alert";
}

/** The labels that the caller sent; the threshold stands beside the score. */
export function labelFacts(document: AlertDocument): Fact[] {
  return Object.entries(document.explanation.labels)
    .filter(([key]) => key !== "threshold")
    .map(([name, text]) => ({ name, text, more: "" }));
}

export function computedFacts(document: AlertDocument): Fact[] {
  const { explanation } = document;
  const facts = [
    {
      name: "Model",
      text: modelName(explanation.model),
      more: [isDigest(explanation.model) && explanation.model, `digest ${explanation.model_digest}`]
        .filter(Boolean)
        .join("\n"),
    },
    {
      name: "Background",
      text: lastPart(explanation.background) || "the model's own",
      more: `digest ${explanation.background_digest}`,
    },
    { name: "Events", text: count(explanation.length), more: "" },
    { name: "Asked by", text: explanation.requested_by || "not recorded", more: "" },
    { name: "Explained", text: dateTime(explanation.create_time), more: explanation.create_time },
    { name: "Seed", text: `${explanation.options.seed}`, more: "The same seed gives the same numbers again" },
    { name: "Accuracy", text: accuracy(document), more: accuracyInFull(document) },
  ];
  return facts.filter((each) => each.text);
}

const LEVELS = { event: "events", feature: "features", cell: "single facts" } as const;

/** "events exact, features ± 0.008, single facts ± 0.008". */
function accuracy(document: AlertDocument): string {
  return document.quality
    .map((each) => `${LEVELS[each.level]} ${each.exact ? "exact" : margin(each.standardError)}`)
    .join(", ");
}

function accuracyInFull(document: AlertDocument): string {
  return document.quality.map((each) => `${LEVELS[each.level]}: ${each.text}`).join("\n");
}

/** `models/account_takeover/versions/1` → "account_takeover, version 1". */
export function modelName(name: string): string {
  const found = /^models\/([^/]+)(?:\/versions\/([^/]+))?$/.exec(name);
  if (isDigest(name)) return `${name.slice(0, name.indexOf(":") + 13)}…`;
  if (!found) return name || "sent with the request";
  return found[2] ? `${found[1]}, version ${found[2]}` : (found[1] ?? name);
}

/** The content of a model in place of a name: "sha256:…" or only the figures. */
function isDigest(name: string): boolean {
  return /^(?:\w+:)?[0-9a-f]{64}$/.test(name);
}

function lastPart(name: string): string {
  return name.split("/").at(-1) ?? name;
}
