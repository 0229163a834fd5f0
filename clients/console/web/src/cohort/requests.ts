/** Questions about cohorts to the console's API. */

import { call } from "../api/client";
import type {
  AlertDocument,
  CohortCard,
  CohortDescription,
  CohortRowPage,
  DensityData,
  FigureData,
  Members,
} from "../api/types";

const of = (cohort: string): string => `/api/cohorts/${encodeURIComponent(cohort)}`;

/** Parameters of a figure; those that are undefined or empty are left out. */
export type FigureQuery = Record<string, string | number | undefined>;

export function getCohorts(signal?: AbortSignal): Promise<CohortCard[]> {
  return call("GET", "/api/cohorts", undefined, signal);
}

export function getCohort(cohort: string, signal?: AbortSignal): Promise<CohortDescription> {
  return call("GET", of(cohort), undefined, signal);
}

export function getFigure(
  cohort: string,
  figure: string,
  query: FigureQuery,
  signal?: AbortSignal,
): Promise<FigureData> {
  return call("GET", `${of(cohort)}/figures/${figure}?${text(query)}`, undefined, signal);
}

export function getDensity(
  cohort: string,
  figure: "events" | "features",
  query: FigureQuery,
  signal?: AbortSignal,
): Promise<DensityData> {
  return call("GET", `${of(cohort)}/density/${figure}?${text(query)}`, undefined, signal);
}

export function getMembers(cohort: string, members: Members, signal?: AbortSignal): Promise<CohortRowPage> {
  return call("POST", `${of(cohort)}/members`, members, signal);
}

export function getRow(
  cohort: string,
  row: string,
  variant: string | null,
  signal?: AbortSignal,
): Promise<AlertDocument> {
  const query = variant === null ? "" : `?${text({ variant })}`;
  return call("GET", `${of(cohort)}/rows/${encodeURIComponent(row)}${query}`, undefined, signal);
}

export function cohortAddress(cohort: string, part = ""): string {
  return `/cohorts/${encodeURIComponent(cohort)}${part}`;
}

export function rowAddress(cohort: string, row: number, variant: string): string {
  const query = variant ? `?${text({ variant })}` : "";
  return `${cohortAddress(cohort)}/rows/${row}${query}`;
}

function text(query: FigureQuery): URLSearchParams {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  return new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
}
