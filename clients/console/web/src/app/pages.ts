/** The pages of the console by their paths. Each is loaded when somebody goes to it first. */

import type { Component } from "svelte";

export type Parameters = Record<string, string>;
export type PageComponent = Component<{ params: Parameters }>;

interface Page {
  /** Parts in colons are parameters: `/alerts/:id`. */
  pattern: string;
  load: () => Promise<{ default: Component<never> }>;
}

export const PAGES: readonly Page[] = [
  { pattern: "/alerts", load: () => import("../list/ListPage.svelte") },
  { pattern: "/alerts/:id", load: () => import("../alert/AlertPage.svelte") },
  { pattern: "/compare", load: () => import("../alert/ComparePage.svelte") },
  { pattern: "/cohorts", load: () => import("../cohort/CohortsPage.svelte") },
  { pattern: "/cohorts/:cohort", load: () => import("../cohort/CohortPage.svelte") },
  { pattern: "/cohorts/:cohort/rows/:row", load: () => import("../cohort/RowPage.svelte") },
  { pattern: "/cohorts/:cohort/grid", load: () => import("../grid/GridPage.svelte") },
  { pattern: "/cohorts/:cohort/progress", load: () => import("../progress/ProgressPage.svelte") },
];

/** The page of a path with its parameters; null if there is none. */
export function pageOf(path: string): { page: Page; params: Parameters } | null {
  for (const page of PAGES) {
    const params = matched(page.pattern, path);
    if (params) return { page, params };
  }
  return null;
}

export function matched(pattern: string, path: string): Parameters | null {
  const [wanted, found] = [pattern.split("/"), path.replace(/\/$/, "").split("/")];
  if (wanted.length !== found.length) return null;
  const params: Parameters = {};
  for (const [index, part] of wanted.entries()) {
    const text = found[index] ?? "";
    if (!part.startsWith(":")) {
      if (part !== text) return null;
    } else {
      const value = decoded(text);
      if (!value) return null;
      params[part.slice(1)] = value;
    }
  }
  return params;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}
