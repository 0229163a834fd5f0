/** How the two classes of a pair's graph are shown; the address keeps it as one word, such as "overlay" or "beside-count". */

import type { EdgeStyle, Measure } from "./figure";

export type Encoding = "difference" | "overlay" | "beside";

export interface EncodingChoice {
  encoding: Encoding;
  measure: Measure;
}

const ENCODINGS: readonly Encoding[] = ["difference", "overlay", "beside"];

export function readEncoding(text: string, usual: Encoding): EncodingChoice {
  const [first, second] = text.split("-");
  return {
    encoding: ENCODINGS.find((each) => each === first) ?? usual,
    measure: second === "count" ? "count" : "share",
  };
}

export const writeEncoding = ({ encoding, measure }: EncodingChoice): string =>
  measure === "count" ? `${encoding}-count` : encoding;

/** The graphs from left to right: the negative class first, as in the column of single graphs. */
export function stylesOf(encoding: Encoding): EdgeStyle[] {
  return encoding === "beside" ? ["negative", "positive"] : [encoding];
}
