/** What features, events and players are called on the page of an alert. */

import type { ExplanationJson } from "../api/types";
import type { Effect } from "./effects";

export class Names {
  readonly #labels: Map<string, string>;
  readonly #units: Map<string, string>;

  constructor(explanation: Pick<ExplanationJson, "feature_info">) {
    this.#labels = new Map(explanation.feature_info.map((each) => [each.name, each.label || each.name]));
    this.#units = new Map(explanation.feature_info.map((each) => [each.name, each.unit]));
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
        return eventName(effect.t ?? 0);
      case "feature":
        return feature;
      case "cell":
        return `${feature}, ${eventName(effect.t ?? 0)}`;
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

/** "latest event", "1 before the latest". */
export function eventName(t: number): string {
  if (t === 0) return "latest event";
  return t < 0 ? `${-t} before the latest` : `${t} after the explained event`;
}

function theEvent(t: number): string {
  return t === 0 ? "the latest event" : `the event ${eventName(t)}`;
}

export function eventCount(effect: Pick<Effect, "firstT" | "lastT">): number {
  return effect.firstT === null || effect.lastT === null ? 0 : effect.lastT - effect.firstT + 1;
}

function olderName(effect: Effect): string {
  const n = eventCount(effect);
  if (n === 1) return "1 older event";
  return n ? `${n.toLocaleString("en")} older events together` : "Older events together";
}

function blockName(effect: Effect): string {
  if (effect.firstT === effect.lastT) return eventName(effect.lastT ?? 0);
  return `Events ${-(effect.lastT ?? 0)} to ${-(effect.firstT ?? 0)} before the latest`;
}
