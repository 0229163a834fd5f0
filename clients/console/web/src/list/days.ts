/** Days as fields have them ("2026-11-26", in the reader's time zone) and as the API has them (ISO times). */

/** The first moment of a day; empty for no day. */
export function dayStart(day: string): string {
  const found = parsed(day);
  return found ? found.toISOString() : "";
}

/** The first moment after a day. */
export function dayEnd(day: string): string {
  const found = parsed(day);
  if (!found) return "";
  // Not 24 hours later: some days have 23 or 25.
  found.setDate(found.getDate() + 1);
  return found.toISOString();
}

/** The day of a moment, for a field. */
export function dayField(iso: string): string {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return "";
  const two = (n: number): string => String(n).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

function parsed(day: string): Date | null {
  const [year, month, date] = day.split("-").map(Number);
  if (!year || !month || !date) return null;
  return new Date(year, month - 1, date);
}
