/** What the cells of a grid show: saliency, and variance over time. */

import type { CellLayout } from "./cells";
import { MAXIMUM_WEIGHT, type Selector } from "./selection";

/** How many sequences each class has. */
export interface ClassSizes {
  positives: number;
  negatives: number;
}

export interface Measures {
  /** Of each cell of the layout. */
  saliency: Float64Array;
  variance: Float64Array;
}

/** The part of a selection that changes the numbers of the cells, beside the range of weights. */
export interface MeasureChoice {
  selector: Selector;
  steps: readonly [number, number];
}

/**
 * Turns sums of weights into what the cells show.
 *
 * heat_t of a class is its sum of weights at step t by the number of its sequences. The saliency is the sum of
 * heat_t over the chosen steps, the variance the mean of (heat_t − mean heat)²; "difference" is the positive
 * class minus the negative, "both" counts the two classes as one.
 */
export function measures(
  sums: Float64Array,
  layout: CellLayout,
  sizes: ClassSizes,
  choice: MeasureChoice,
): Measures {
  const { cells } = layout;
  if (choice.selector !== "difference") {
    const found = oneClass(sums, layout, sizes, choice.selector, choice.steps);
    return { saliency: found.saliency, variance: found.variance };
  }
  const positive = oneClass(sums, layout, sizes, "positive", choice.steps);
  const negative = oneClass(sums, layout, sizes, "negative", choice.steps);
  for (let cell = 0; cell < cells; cell++) {
    positive.saliency[cell]! -= negative.saliency[cell]!;
    positive.variance[cell]! -= negative.variance[cell]!;
  }
  return positive;
}

function oneClass(
  sums: Float64Array,
  layout: CellLayout,
  sizes: ClassSizes,
  which: Exclude<Selector, "difference">,
  [first, last]: readonly [number, number],
): Measures {
  const { cells, steps } = layout;
  const saliency = new Float64Array(cells);
  const variance = new Float64Array(cells);
  const size = sizeOf(sizes, which) * MAXIMUM_WEIGHT;
  if (size === 0) return { saliency, variance };
  const offsets = which === "both" ? [0, cells * steps] : [which === "positive" ? 0 : cells * steps];
  const [one, other] = [offsets[0]!, offsets[1]];
  const count = last - first + 1;
  const heat = new Float64Array(count);
  for (let cell = 0; cell < cells; cell++) {
    let total = 0;
    for (let k = 0; k < count; k++) {
      const at = cell * steps + first + k;
      heat[k] = sums[one + at]! + (other === undefined ? 0 : sums[other + at]!);
      total += heat[k]!;
    }
    if (total === 0) continue;
    let squares = 0;
    for (let k = 0; k < count; k++) squares += (heat[k]! - total / count) ** 2;
    saliency[cell] = total / size;
    variance[cell] = squares / count / (size * size);
  }
  return { saliency, variance };
}

function sizeOf(sizes: ClassSizes, which: Exclude<Selector, "difference">): number {
  if (which === "both") return sizes.positives + sizes.negatives;
  return which === "positive" ? sizes.positives : sizes.negatives;
}

/** The largest absolute value among some matrices; 0 if all are empty. */
export function largest(values: Float64Array, cells: Iterable<number>): number {
  let found = 0;
  for (const cell of cells) found = Math.max(found, Math.abs(values[cell]!));
  return found;
}
