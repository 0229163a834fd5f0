/** Parts of time: the steps of a table as times before the latest event, and their quarters. */

/** 0 is the oldest step shown; the time of the latest is 0. */
export const timeOf = (step: number, steps: number): number => step - (steps - 1);

export interface Quarter {
  name: string;
  times: [number, number];
}

const NAMES = ["first quarter", "second quarter", "third quarter", "last quarter"];

/** Four parts that differ by one step at most, oldest first; none if there are fewer than four steps. */
export function quarters(steps: number): Quarter[] {
  if (steps < 4) return [];
  const start = (part: number): number => Math.round((part * steps) / 4);
  return NAMES.map((name, part) => ({
    name,
    times: [timeOf(start(part), steps), timeOf(start(part + 1) - 1, steps)],
  }));
}
