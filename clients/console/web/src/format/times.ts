/** Times and durations as text, in the reader's own time zone unless another is given. */

export interface Zone {
  /** A name such as "Europe/Berlin"; the reader's own if it is left out. */
  timeZone?: string;
}

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** "26 Nov 2026, 17:03:44 CET"; empty for no time or one that cannot be read. */
export function fullTime(iso: string | null, zone: Zone = {}): string {
  return formatted(iso, { ...DATE, ...CLOCK, second: "2-digit", timeZoneName: "short", ...zone });
}

/** "26 Nov 2026, 17:03". */
export function dateTime(iso: string | null, zone: Zone = {}): string {
  return formatted(iso, { ...DATE, ...CLOCK, ...zone });
}

/** "26 Nov 17:03" in the same year as `now`, else "26 Nov 2025 17:03". For columns. */
export function shortTime(iso: string | null, now = new Date(), zone: Zone = {}): string {
  const date = iso === null ? null : new Date(iso);
  if (!date || Number.isNaN(date.getTime())) return "";
  const sameYear = yearOf(date, zone) === yearOf(now, zone);
  const day = sameYear ? { day: "numeric", month: "short" } : DATE;
  return formatted(iso, { ...(day as Intl.DateTimeFormatOptions), ...CLOCK, ...zone }).replace(",", "");
}

/** "17:03:44", for events of one day. */
export function clockTime(iso: string | null, zone: Zone = {}): string {
  return formatted(iso, { ...CLOCK, second: "2-digit", ...zone });
}

/** "26 Nov 2026". */
export function dayOf(iso: string | null, zone: Zone = {}): string {
  return formatted(iso, { ...DATE, ...zone });
}

/** 0.25 → "0.25 s", 75 → "1 min 15 s", 7200 → "2 h", 200000 → "2 d 7 h". */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return "–";
  if (seconds < 10) return `${Number(seconds.toPrecision(2))} s`;
  const whole = Math.round(seconds);
  if (whole < MINUTE) return `${whole} s`;
  if (whole < HOUR) return two(Math.floor(whole / MINUTE), "min", whole % MINUTE, "s");
  if (whole < DAY) return two(Math.floor(whole / HOUR), "h", Math.floor((whole % HOUR) / MINUTE), "min");
  return two(Math.floor(whole / DAY), "d", Math.floor((whole % DAY) / HOUR), "h");
}

/** How long before another time: "12 s before", "3 min 4 s before", "at the same time". */
export function before(iso: string, later: string): string {
  const seconds = (Date.parse(later) - Date.parse(iso)) / 1000;
  if (!Number.isFinite(seconds)) return "";
  if (seconds === 0) return "at the same time";
  return `${duration(Math.abs(seconds))} ${seconds > 0 ? "before" : "after"}`;
}

/** "just now", "5 min ago", "3 h ago", "2 d ago". */
export function ago(iso: string, now = new Date()): string {
  const seconds = (now.getTime() - Date.parse(iso)) / 1000;
  if (!Number.isFinite(seconds)) return "";
  if (seconds < MINUTE) return "just now";
  if (seconds < HOUR) return `${Math.floor(seconds / MINUTE)} min ago`;
  if (seconds < DAY) return `${Math.floor(seconds / HOUR)} h ago`;
  return `${Math.floor(seconds / DAY)} d ago`;
}

const DATE = { day: "numeric", month: "short", year: "numeric" } as const;
const CLOCK = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" } as const;
const FORMATS = new Map<string, Intl.DateTimeFormat>();

function formatted(iso: string | null, options: Intl.DateTimeFormatOptions): string {
  const date = iso === null ? null : new Date(iso);
  if (!date || Number.isNaN(date.getTime())) return "";
  return formatOf(options).format(date);
}

// Making a format takes longer than using it a hundred times.
function formatOf(options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = JSON.stringify(options);
  const known = FORMATS.get(key) ?? new Intl.DateTimeFormat("en-GB", options);
  FORMATS.set(key, known);
  return known;
}

function yearOf(date: Date, zone: Zone): string {
  return formatOf({ year: "numeric", ...zone }).format(date);
}

function two(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}
