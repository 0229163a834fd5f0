/** Numbers as text: a true minus sign, "< 0.001" for what is tiny, groups of thousands. */

const MINUS = "−";
/** A 95 % interval reaches this many standard errors to either side. */
export const NORMAL_95 = 1.96;

const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** 41000 → "41,000". */
export function count(n: number): string {
  return withMinus(grouped.format(n));
}

/** 0.2345 → "+0.235", 0.0234 → "+0.023", 0.0004 → "< +0.001", −0.0004 → "> −0.001", 0 → "0". For effects. */
export function signed(x: number, decimals = decimalsOfEffect(x)): string {
  return written(x, decimals, "+");
}

/** 0.99812 → "0.998", 12.3456 → "12.3", 2109 → "2,109". For scores and values. */
export function plainNumber(x: number, decimals = decimalsOf(x)): string {
  return written(x, decimals, "");
}

function written(x: number, decimals: number, plus: string): string {
  if (!Number.isFinite(x)) return "–";
  if (x === 0) return "0";
  const size = Math.abs(x);
  const sign = x < 0 ? MINUS : plus;
  if (isTiny(size, decimals)) return `${x < 0 ? ">" : "<"} ${sign}${tiny(decimals)}`;
  return sign + fixed(size, decimals);
}

/** A number that people have set, such as a threshold: as they wrote it, to six figures. 0.8465 → "0.8465". */
export function setNumber(x: number): string {
  if (!Number.isFinite(x)) return "–";
  const size = Number(Math.abs(x).toPrecision(6));
  return (x < 0 ? MINUS : "") + size.toLocaleString("en", { maximumFractionDigits: 12 });
}

/** A score: three decimals, "> 0.999" where rounding would show 1. */
export function score(x: number): string {
  if (x > 0.9995 && x < 1) return "> 0.999";
  return plainNumber(x, 3);
}

/** Half of the 95 % interval of a standard error: 0.004 → "± 0.008"; "exact" if there is none. */
export function margin(standardError: number, decimals?: number): string {
  if (standardError === 0) return "exact";
  return Number.isFinite(standardError) ? `± ${plainNumber(NORMAL_95 * standardError, decimals)}` : "± ?";
}

/** An effect with its 95 % interval: "+0.230 ± 0.010", or "+0.230" where it is exact. */
export function effect(x: number, standardError: number): string {
  return standardError === 0 ? signed(x) : `${signed(x)} ${margin(standardError)}`;
}

/** 0.123 → "12 %"; below ten per cent with one decimal. */
export function percent(share: number): string {
  if (!Number.isFinite(share)) return "–";
  const points = share * 100;
  if (points > 0 && points < 0.1) return "< 0.1 %";
  const decimals = Math.abs(points) < 10 && points !== Math.round(points) ? 1 : 0;
  return `${withMinus(points.toFixed(decimals))} %`;
}

/** 1 → "1st", 12 → "12th", 23 → "23rd". */
export function ordinal(n: number): string {
  const tens = n % 100;
  const ending = tens > 10 && tens < 14 ? "th" : (["th", "st", "nd", "rd"][n % 10] ?? "th");
  return `${count(n)}${ending}`;
}

/** 1 → "1 alert", 3 → "3 alerts". */
export function counted(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

/** Three significant figures from 0.1 on, and at most three decimals. */
function decimalsOf(x: number): number {
  const size = Math.abs(x);
  if (size >= 100 || Number.isInteger(x)) return 0;
  if (size >= 10) return 1;
  if (size >= 1) return 2;
  return 3;
}

/** The same for all effects of a list, whatever their size. */
function decimalsOfEffect(x: number): number {
  return Math.abs(x) < 100 ? 3 : 0;
}

function isTiny(size: number, decimals: number): boolean {
  return decimals > 0 && size < 0.5 * 10 ** -decimals;
}

function tiny(decimals: number): string {
  return (10 ** -decimals).toFixed(decimals);
}

function fixed(size: number, decimals: number): string {
  return size.toLocaleString("en", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

function withMinus(text: string): string {
  return text.replace("-", MINUS);
}
