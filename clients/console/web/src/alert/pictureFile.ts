/** Figures as files: an SVG that stands alone, and a PNG drawn from it. */

const SVG = "http://www.w3.org/2000/svg";
const INHERITED = [
  "fill",
  "stroke",
  "stroke-width",
  "stroke-dasharray",
  "font-size",
  "font-weight",
  "font-family",
  "font-variant-numeric",
  "text-anchor",
] as const;
/** Pixels of the PNG for each pixel of the figure, so that it is sharp in print. */
const PNG_SCALE = 2;
const MARGIN = 16;
const TITLE_HEIGHT = 28;

export interface Picture {
  title: string;
  svg: SVGSVGElement;
}

/** One drawing of one or more figures below each other, with their titles and the page's colours written into it. */
export function standaloneSvg(pictures: readonly Picture[]): SVGSVGElement {
  const sizes = pictures.map(({ svg }) => ({ width: number(svg, "width"), height: number(svg, "height") }));
  const root = document.createElementNS(SVG, "svg");
  const width = Math.max(...sizes.map((each) => each.width)) + 2 * MARGIN;
  const style = getComputedStyle(document.body);
  let y = MARGIN;
  const parts: SVGElement[] = [];
  for (const [index, { title, svg }] of pictures.entries()) {
    parts.push(heading(title, y + 14, style.color));
    const copy = withStyles(svg);
    copy.setAttribute("x", `${MARGIN}`);
    copy.setAttribute("y", `${y + TITLE_HEIGHT}`);
    parts.push(copy);
    y += TITLE_HEIGHT + (sizes[index]?.height ?? 0) + MARGIN;
  }
  root.setAttribute("xmlns", SVG);
  root.setAttribute("width", `${width}`);
  root.setAttribute("height", `${y}`);
  root.setAttribute("viewBox", `0 0 ${width} ${y}`);
  root.append(paper(width, y, style.backgroundColor), ...parts);
  return root;
}

export function svgText(svg: SVGSVGElement): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${new XMLSerializer().serializeToString(svg)}`;
}

export async function pngBlob(svg: SVGSVGElement): Promise<Blob> {
  const address = URL.createObjectURL(new Blob([svgText(svg)], { type: "image/svg+xml" }));
  try {
    const image = new Image();
    image.src = address;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = number(svg, "width") * PNG_SCALE;
    canvas.height = number(svg, "height") * PNG_SCALE;
    canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
    return await new Promise((resolve, reject) =>
      canvas.toBlob(
        (blob) => (blob ? resolve(blob) : reject(new Error("the picture is too large"))),
        "image/png",
      ),
    );
  } finally {
    URL.revokeObjectURL(address);
  }
}

/** Copies a figure with its computed colours and fonts as attributes, since a file has no style sheet. */
function withStyles(svg: SVGSVGElement): SVGSVGElement {
  const copy = svg.cloneNode(true) as SVGSVGElement;
  const originals = svg.querySelectorAll<SVGElement>("*");
  for (const [index, element] of copy.querySelectorAll<SVGElement>("*").entries()) {
    const original = originals[index];
    if (!original || element instanceof SVGTitleElement) continue;
    const style = getComputedStyle(original);
    for (const name of INHERITED) element.setAttribute(name, style.getPropertyValue(name));
    element.removeAttribute("class");
    element.removeAttribute("style");
  }
  copy.removeAttribute("class");
  return copy;
}

function heading(text: string, y: number, colour: string): SVGElement {
  const element = document.createElementNS(SVG, "text");
  element.textContent = text;
  const attributes = { x: `${MARGIN}`, y: `${y}`, fill: colour, "font-size": "14px", "font-weight": "600" };
  for (const [name, value] of Object.entries({ ...attributes, "font-family": "system-ui, sans-serif" }))
    element.setAttribute(name, value);
  return element;
}

function paper(width: number, height: number, colour: string): SVGElement {
  const rect = document.createElementNS(SVG, "rect");
  for (const [name, value] of Object.entries({ width: `${width}`, height: `${height}`, fill: colour }))
    rect.setAttribute(name, value);
  return rect;
}

function number(svg: SVGSVGElement, name: string): number {
  return Number(svg.getAttribute(name) ?? 0);
}
