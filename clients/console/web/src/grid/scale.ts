/** How large a value is drawn: logarithmic, with an even stretch around 0, the same on both sides. */

/** A value of this share of the largest one ends the even stretch: three decades are logarithmic. */
export const EVEN_SHARE = 0.001;
const FULL = Math.log1p(1 / EVEN_SHARE);

/** The place of a value between −1 and 1; values beyond the largest stand at the ends. */
export function intensity(value: number, largest: number): number {
  if (largest <= 0 || value === 0) return 0;
  const size = Math.min(1, Math.log1p(Math.abs(value) / (EVEN_SHARE * largest)) / FULL);
  return value < 0 ? -size : size;
}

/** The next 1, 2 or 5 times a power of ten, so that a scale does not change with every move of a slider. */
export function roundedUp(value: number): number {
  if (!(value > 0)) return 0;
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 5, 10].find((each) => each * power >= value * (1 - 1e-12)) ?? 10;
  return Number((step * power).toPrecision(1));
}

export interface Tick {
  value: number;
  /** Between −1 and 1. */
  place: number;
}

/** The marks of a legend: 0, the ends and two decades below them, on both sides if the scale has signs. */
export function ticks(largest: number, signed: boolean): Tick[] {
  if (largest <= 0) return [{ value: 0, place: 0 }];
  const up = [0.01, 0.1, 1].map((share) => Number((share * largest).toPrecision(3)));
  const values = signed ? [...up.map((value) => -value).reverse(), 0, ...up] : [0, ...up];
  return values.map((value) => ({ value, place: intensity(value, largest) }));
}
