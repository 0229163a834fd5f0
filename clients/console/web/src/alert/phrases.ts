/** How the page of an alert writes the names of features, events and players, and the effects of one explanation. */

import type { ExplanationJson } from "../api/types";
import { count, margin, plainNumber, signed } from "../format/numbers";
import { eventWords } from "../format/words";
import type { Effect } from "./effects";

/** Significant digits of the largest effect; all others get its decimals, so that a reader can add them up. */
const DIGITS = 3;
/** As all effects of the console have, unless these are much smaller or larger. */
const DECIMALS = 3;
const MOST_DECIMALS = 6;

type Described = Pick<ExplanationJson, "feature_info"> &
  Partial<Pick<ExplanationJson, "event_level" | "feature_level" | "cell_level">> & {
    options?: { link: string };
  };

export class Phrases {
  readonly #labels: Map<string, string>;
  readonly #units: Map<string, string>;
  readonly #decimals: number;
  /** What the effects are amounts of. */
  readonly #noun: string;

  constructor(explanation: Described) {
    this.#decimals = decimalsFor(explanation);
    this.#noun = explanation.options?.link === "logit" ? "log-odds" : "score";
    this.#labels = new Map(explanation.feature_info.map((each) => [each.name, each.label || each.name]));
    this.#units = new Map(explanation.feature_info.map((each) => [each.name, each.unit]));
  }

  /** "+0.623", "−0.005", "< +0.001". */
  signed(value: number): string {
    return signed(value, this.#decimals);
  }

  /** Half of the 95 % interval: "± 0.008", or "exact". */
  margin(standardError: number): string {
    return margin(standardError, this.#decimals);
  }

  /** "raised the score by 0.242", "lowered the log-odds by 0.050". */
  raised(effect: Pick<Effect, "value">): string {
    if (effect.value === 0) return "did not change the score";
    const size = plainNumber(Math.abs(effect.value), this.#decimals).replace("< ", "less than ");
    return `${effect.value > 0 ? "raised" : "lowered"} the ${this.#noun} by ${size}`;
  }

  feature(name: string): string {
    return this.#labels.get(name) ?? name;
  }

  unit(name: string): string {
    return this.#units.get(name) ?? "";
  }

  /** The name of a player, short enough for an axis. */
  player(effect: Effect): string {
    const feature = effect.feature === null ? "" : this.feature(effect.feature);
    switch (effect.kind) {
      case "event":
        return eventWords(effect.t ?? 0);
      case "feature":
        return feature;
      case "cell":
        return `${feature}, ${eventWords(effect.t ?? 0)}`;
      case "event_rest":
        return `Other facts of ${theEvent(effect.t ?? 0)}`;
      case "feature_rest":
        return `${feature} at other events`;
      case "pruned":
        return olderName(effect);
      case "history":
        return blockName(effect);
      case "static":
        return "Facts that belong to no event";
      case "other":
        return "All other facts";
      default:
        return "Something this console does not know";
    }
  }
}

export function theEvent(t: number): string {
  return t === 0 ? "the latest event" : `the event ${eventWords(t)}`;
}

export function eventCount(effect: Pick<Effect, "firstT" | "lastT">): number {
  return effect.firstT === null || effect.lastT === null ? 0 : effect.lastT - effect.firstT + 1;
}

function olderName(effect: Effect): string {
  const n = eventCount(effect);
  if (n === 1) return "1 older event";
  return n ? `${count(n)} older events together` : "Older events together";
}

function blockName(effect: Effect): string {
  if (effect.firstT === effect.lastT) return eventWords(effect.lastT ?? 0);
  return `Events ${-(effect.lastT ?? 0)} to ${-(effect.firstT ?? 0)} before the latest`;
}

function decimalsFor({ event_level, feature_level, cell_level }: Described): number {
  const values = [event_level, feature_level, cell_level].flatMap((level) =>
    (level?.attributions ?? []).flatMap((each) => each.values.map(Math.abs)),
  );
  const largest = Math.max(0, ...values);
  if (largest === 0 || (largest >= 0.01 && largest < 100)) return DECIMALS;
  return Math.max(0, Math.min(MOST_DECIMALS, DIGITS - 1 - Math.floor(Math.log10(largest))));
}
