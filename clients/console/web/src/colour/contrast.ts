/** How well two colours can be told apart, by the formula of WCAG 2, and the ink that can be read on a colour. */

type Rgb = readonly [number, number, number];

/** Reads "#abc", "#aabbcc" and "rgb(1, 2, 3)". */
export function rgbOf(colour: string): Rgb {
  const hex = /^#([0-9a-f]{3}|[0-9a-f]{6})$/i.exec(colour)?.[1];
  if (hex) {
    const digits = hex.length === 3 ? [...hex].map((digit) => digit + digit).join("") : hex;
    return [0, 2, 4].map((at) => parseInt(digits.slice(at, at + 2), 16)) as unknown as Rgb;
  }
  const found = colour
    .match(/[\d.]+/g)
    ?.slice(0, 3)
    .map(Number);
  if (!found || found.length < 3) throw new Error(`${colour} is not a colour that can be read here`);
  return found as unknown as Rgb;
}

export function luminance(colour: string): number {
  const [r, g, b] = rgbOf(colour).map((byte) => {
    const share = byte / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as unknown as Rgb;
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** From 1 (the same) to 21 (black and white). */
export function contrast(a: string, b: string): number {
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

export const WHITE = "#ffffff";

/** Black or white, whichever reads better on the colour: at least 4.5 on any. */
export function inkOn(colour: string): string {
  return contrast(colour, "#000000") > contrast(colour, WHITE) ? "#000000" : WHITE;
}
