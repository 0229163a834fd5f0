/** Times of events as the caller sent them, in their own zone, so that the page says what the reasons say. */

export interface EventTime {
  date: string;
  /** With seconds where the caller sent any. */
  clock: string;
  zone: string;
}

const ISO = /^(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2})(:\d{2})?(?:\.\d+)?(Z|[+-]\d{2}:\d{2})?$/;

export function eventTime(iso: string | null): EventTime | null {
  const found = iso === null ? null : ISO.exec(iso);
  if (!found) return null;
  const [, date = "", minutes = "", seconds = "", offset = "Z"] = found;
  return { date, clock: minutes + seconds, zone: zoneName(offset) };
}

/** "2026-04-02 17:34 UTC". */
export function timeText(iso: string | null): string {
  const time = eventTime(iso);
  return time ? `${time.date} ${time.clock.slice(0, 5)} ${time.zone}` : "";
}

function zoneName(offset: string): string {
  return offset === "Z" || offset === "+00:00" ? "UTC" : `UTC${offset.replace("-", "−")}`;
}
