/** The colours of cells as numbers for pixels, from the strongest of the negative class to that of the positive. */

import { inkOn, rgbOf } from "../colour/contrast";
import { divergingColour } from "../colour/diverging";
import { sequentialColour } from "../colour/sequential";
import type { ColourChoice, Selector } from "./selection";

/** So many steps on each side of 0. */
export const HALF = 255;

export interface Palette {
  /** 2 · HALF + 1 colours as pixels of an ImageData: alpha, blue, green, red from the highest byte. */
  pixels: Uint32Array;
  css: readonly string[];
  /** The colour of text on each of them. */
  ink: readonly string[];
}

/** Two sides for values with a sign and for one class; one neutral side for both classes together. */
export function palette(dark: boolean, selector: Selector, colours: ColourChoice): Palette {
  const reversed = colours === "paper";
  const css = Array.from({ length: 2 * HALF + 1 }, (_, k) => {
    const place = k / HALF - 1;
    return selector === "both"
      ? sequentialColour(Math.abs(place), "neutral", dark)
      : divergingColour(place, { palette: "RdBu", dark, reversed });
  });
  return { pixels: Uint32Array.from(css, pixel), css, ink: css.map((colour) => inkOn(colour)) };
}

/** The colour of a place from −1 to 1; one class alone has the side of its colour. Only 0 has the colour of 0. */
export function colourIndex(place: number, selector: Selector): number {
  if (place === 0) return HALF;
  const size = Math.max(1, Math.round(Math.abs(place) * HALF));
  return HALF + (place < 0 === (selector === "negative") ? size : -size);
}

function pixel(css: string): number {
  const [red, green, blue] = rgbOf(css).map(Math.round) as [number, number, number];
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}
