/** The colours of cells as numbers for pixels, from the strongest of the negative class to that of the positive. */

import { scaleLinear } from "d3-scale";
import { interpolateRdBu } from "d3-scale-chromatic";
import type { ColourChoice, Selector } from "./selection";

export type Theme = "light" | "dark";

/** So many steps on each side of 0. */
export const HALF = 255;

export interface Palette {
  /** 2 · HALF + 1 colours as pixels of an ImageData: alpha, blue, green, red from the highest byte. */
  pixels: Uint32Array;
  css: readonly string[];
  /** Whether text on the colour is white. */
  white: readonly boolean[];
}

type Ramp = (place: number) => string;

const DARK_SIDES = scaleLinear<string>()
  .domain([-1, -0.5, 0, 0.5, 1])
  .range(["#b9defc", "#2f74ad", "#232a33", "#b04a30", "#ffc6ad"]);
const LIGHT_ONE = scaleLinear<string>().domain([0, 0.5, 1]).range(["#f5f5f4", "#8a8199", "#2a1c47"]);
const DARK_ONE = scaleLinear<string>().domain([0, 0.5, 1]).range(["#232a33", "#75699a", "#e4dcff"]);

/** Two sides for values with a sign and for one class; one neutral side for both classes together. */
export function palette(theme: Theme, selector: Selector, colours: ColourChoice): Palette {
  const ramp = selector === "both" ? oneSide(theme) : twoSides(theme, colours);
  const all = Array.from({ length: 2 * HALF + 1 }, (_, k) => channels(ramp(k / HALF - 1)));
  return {
    pixels: Uint32Array.from(
      all,
      ([red, green, blue]) => ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0,
    ),
    css: all.map(([red, green, blue]) => `rgb(${red} ${green} ${blue})`),
    white: all.map((each) => luminance(each) < 0.18),
  };
}

/** The colour of a place from −1 to 1; one class alone has the side of its colour. */
export function colourIndex(place: number, selector: Selector): number {
  return HALF + Math.round((selector === "negative" ? -place : place) * HALF);
}

function twoSides(theme: Theme, colours: ColourChoice): Ramp {
  const turn = colours === "console" ? 1 : -1;
  return theme === "light"
    ? (place) => interpolateRdBu(0.5 - (turn * place) / 2)
    : (place) => DARK_SIDES(turn * place);
}

function oneSide(theme: Theme): Ramp {
  const scale = theme === "light" ? LIGHT_ONE : DARK_ONE;
  return (place) => scale(Math.abs(place));
}

function channels(css: string): [number, number, number] {
  const [red = 0, green = 0, blue = 0] = (css.match(/\d+/g) ?? []).map(Number);
  return [red, green, blue];
}

/** The relative luminance of the contrast rule of WCAG; below 0.18 white text has the better contrast. */
export function luminance(rgb: readonly number[]): number {
  const [red = 0, green = 0, blue = 0] = rgb.map((channel) => {
    const share = channel / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
