/** The two sides of a comparison in the address: `/compare?left=alert:ID&right=dry:model=…`. */

import type { Edit, ExplainBody } from "../api/types";

export type Side =
  | { kind: "alert"; id: string; target: number }
  | { kind: "row"; cohort: string; row: number; variant: string }
  /** An explanation made anew from the alert on the left; nothing of it is stored. */
  | { kind: "dry"; body: ExplainBody };

export function sideText(side: Side): string {
  if (side.kind === "alert") return `alert:${side.id}${side.target ? `/${side.target}` : ""}`;
  if (side.kind === "row")
    return `row:${[side.cohort, `${side.row}`, side.variant].map(encodeURIComponent).join("/")}`;
  const fields = new URLSearchParams();
  if (side.body.model) fields.set("model", side.body.model);
  if (side.body.background) fields.set("background", side.body.background);
  if (side.body.edits?.length) fields.set("edits", JSON.stringify(side.body.edits));
  if (side.body.options?.pruning_tolerance !== undefined)
    fields.set("tolerance", `${side.body.options.pruning_tolerance}`);
  return `dry:${fields}`;
}

export function comparisonAddress(left: Side, right: Side | null): string {
  const query = new URLSearchParams({ left: sideText(left) });
  if (right) query.set("right", sideText(right));
  return `/compare?${query}`;
}

/** Returns null for a text that is no side. */
export function readSide(text: string | null): Side | null {
  const [, kind = "", rest = ""] = /^(alert|row|dry):(.*)$/s.exec(text ?? "") ?? [];
  if (kind === "alert") {
    const [id = "", target = "0"] = rest.split("/");
    return id && /^\d+$/.test(target) ? { kind, id, target: Number(target) } : null;
  }
  if (kind === "row") {
    const [cohort = "", row = "", variant = ""] = rest.split("/").map(decoded);
    return cohort && /^\d+$/.test(row) ? { kind, cohort, row: Number(row), variant } : null;
  }
  return kind === "dry" ? { kind, body: readBody(new URLSearchParams(rest)) } : null;
}

function readBody(fields: URLSearchParams): ExplainBody {
  const body: ExplainBody = {};
  const [model, background, edits, tolerance] = ["model", "background", "edits", "tolerance"].map((name) =>
    fields.get(name),
  );
  if (model) body.model = model;
  if (background) body.background = background;
  if (edits) body.edits = readEdits(edits);
  if (tolerance && Number.isFinite(Number(tolerance)))
    body.options = { pruning_tolerance: Number(tolerance) };
  return body;
}

function readEdits(text: string): Edit[] {
  try {
    const found: unknown = JSON.parse(text);
    return Array.isArray(found) ? found.filter(isEdit) : [];
  } catch {
    return [];
  }
}

function isEdit(value: unknown): value is Edit {
  const edit = value as Partial<Edit> | null;
  return (
    typeof edit?.t === "number" &&
    typeof edit.feature === "string" &&
    (typeof edit.to === "number" || typeof edit.to === "string")
  );
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}
