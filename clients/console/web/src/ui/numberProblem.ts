/** What is wrong with a number that somebody typed, in words; empty if nothing is. */

export interface Limits {
  min: number;
  max: number;
  optional: boolean;
}

export function numberProblem(typed: string, unreadable: boolean, { min, max, optional }: Limits): string {
  if (unreadable) return "This is not a number.";
  if (typed === "") return optional ? "" : "A number is needed.";
  const value = Number(typed);
  if (!Number.isFinite(value)) return "This is not a number.";
  if (value >= min && value <= max) return "";
  if (Number.isFinite(min) && Number.isFinite(max)) return `It must be from ${min} to ${max}.`;
  return value < min ? `It must be at least ${min}.` : `It must be at most ${max}.`;
}
