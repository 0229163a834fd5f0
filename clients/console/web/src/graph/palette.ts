/** The colours of the classes in graphs. Lines are thin, so these are the strong ends of the scales. */

import type { ColourChoice } from "../grid/selection";
import type { Palette, Rgb } from "./figure";

type Theme = "light" | "dark";

// Warm towards the positive class; in the paper the positive class is purple, and the negative one orange.
const PALETTES: Record<ColourChoice, Record<Theme, Palette>> = {
  console: {
    light: { positive: [178, 24, 43], negative: [33, 102, 172] },
    dark: { positive: [255, 148, 122], negative: [116, 186, 240] },
  },
  paper: {
    light: { positive: [84, 39, 136], negative: [179, 88, 6] },
    dark: { positive: [190, 180, 235], negative: [253, 184, 99] },
  },
};
const INK: Record<Theme, Rgb> = { light: [20, 24, 31], dark: [236, 239, 244] };

const theme = (dark: boolean): Theme => (dark ? "dark" : "light");

export const paletteOf = (colours: ColourChoice, dark: boolean): Palette => PALETTES[colours][theme(dark)];

/** Of nodes that stand for both classes. */
export const inkOf = (dark: boolean): Rgb => INK[theme(dark)];

export const cssColour = ([red, green, blue]: Rgb, opacity = 1): string =>
  `rgb(${red} ${green} ${blue} / ${opacity})`;
