"""Puts the parts of an explanation into words, for summaries, tables and figures. Options are named as keywords."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import time
from typing import TYPE_CHECKING

from sequela_client.attributions import Attribution, PlayerKind, Quality, StopReason
from sequela_client.explanation_parts import Feature, Verdict

if TYPE_CHECKING:
    from sequela_client.explanation import Explanation

# Numbers that would need more decimals are written with an exponent.
_MOST_DECIMALS = 8


class Phrases:
    """Puts the numbers, features and players of one explanation into words.

    Args:
        explanation: the explanation.
        digits: the number of significant digits of the largest attribution.
    """

    def __init__(self, explanation: Explanation, digits: int = 4) -> None:
        self._explanation = explanation
        self._features = {feature.name: feature for feature in explanation.feature_info}
        self._events = {event.t: event for event in explanation.event_values}
        self._digits = digits
        self._decimals = _decimals(explanation, digits)
        times = [event.info.time for event in explanation.event_values if event.info.time]
        # Events of whole days, such as months, have no hour worth a label.
        self._time_format = "%Y-%m-%d %H:%M" if any(each.time() != time() for each in times) else "%Y-%m-%d"

    def number(self, value: float) -> str:
        """Returns a number with as many decimals as the scale of the explanation needs."""
        return self._format(value, "")

    def signed(self, value: float) -> str:
        """Returns a number with its sign."""
        return self._format(value, "+")

    def _format(self, value: float, sign: str) -> str:
        # Small numbers would be rows of zeros.
        if self._decimals > _MOST_DECIMALS:
            return f"{value:{sign}.{self._digits - 1}e}"
        return f"{value:{sign}z.{self._decimals}f}"

    def measured(self, item: Attribution) -> str:
        """Returns an attribution and half of its 95 % interval."""
        error = f"± {self.number(item.margin)}" if item.standard_error else "exact"
        return f"{self.signed(item.value)} {error}"

    def feature(self, name: str) -> str:
        """Returns the label of a feature, or its name if it has none."""
        known = self._features.get(name)
        return (known.label if known else "") or name

    def value(self, t: int, name: str) -> str:
        """Returns a feature's value at an event with its unit; empty if it is not known."""
        if name in self._explanation.static_values:
            return _with_unit(self._explanation.static_values[name], self._features.get(name))
        event = self._events.get(t)
        if event is None:
            return ""
        if name in event.info.display:
            return event.info.display[name]
        return _with_unit(event.values.get(name, ""), self._features.get(name))

    def peak(self, name: str) -> str:
        """Returns the value of a feature at the event where it mattered most, and that event, if it is not static."""
        t = self._explanation.peak(name)
        return self.value(0, name) if t is None else f"{self.value(t, name)} (t={t})"

    def time(self, t: int) -> str:
        """Returns the time of an event to the minute, or to the day if all are at midnight; empty if unknown."""
        event = self._events.get(t)
        return event.info.time.strftime(self._time_format) if event and event.info.time else ""

    def event(self, t: int) -> str:
        """Describes an event in the caller's own words, or else by the values of the three strongest features."""
        event = self._events.get(t)
        if event is None:
            return ""
        # Raw values from the caller read better than the model's numbers, so they stand alone.
        if self._features.keys() & event.info.display.keys():
            return " · ".join(self._said(event.info.display))
        captions = [f"{name} {text}" for name, text in sorted(event.info.display.items())]
        known = [name for name in self._strongest() if event.values.get(name)]
        return " · ".join(captions + [f"{self.feature(name)} {self.value(t, name)}" for name in known])

    def _said(self, display: Mapping[str, str]) -> list[str]:
        """Returns the caller's texts about an event: those of the features, words before numbers, then all others."""
        features = sorted((display[name] for name in self._features if name in display), key=_is_number)
        others = [f"{name} {display[name]}" for name in sorted(display.keys() - self._features.keys())]
        return features + others

    def facts(self, t: int) -> str:
        """Returns all texts of the caller about an event, each with its caption; without any, the same as `event`."""
        event = self._events.get(t)
        if event is None or not self._features.keys() & event.info.display.keys():
            return self.event(t)
        known = [name for name in self._features if name in event.info.display]
        names = known + sorted(event.info.display.keys() - self._features.keys())
        return ", ".join(f"{self.feature(name)}: {event.info.display[name]}" for name in names)

    def player(self, item: Attribution) -> str:
        """Returns the name of the player of an attribution."""
        feature, event, block = self.feature(item.feature or ""), f"t={item.t}", events_name(item)
        return {
            PlayerKind.EVENT: event,
            PlayerKind.FEATURE: feature,
            PlayerKind.CELL: f"{feature}, {event}",
            PlayerKind.EVENT_REST: f"rest of {event}",
            PlayerKind.FEATURE_REST: f"{feature}, other events",
            PlayerKind.PRUNED: block,
            PlayerKind.HISTORY: block,
            PlayerKind.STATIC: "static features",
            PlayerKind.OTHER: "all other cells",
        }.get(item.kind, f"{item.kind.value.replace('_', ' ')} player")

    def pruning(self) -> str:
        """Says what was pruned, and whether it matters."""
        pruned, pruning = self._explanation.pruned, self._explanation.pruning
        if not pruning.pruned_events:
            return "Nothing was pruned: every event is a player."
        count = pruning.pruned_events
        text = (
            "The oldest event was pruned" if count == 1 else f"The {count} oldest events were taken together"
        )
        if pruned is None or pruning.tolerance is None:
            return f"{text}."
        error = f" ± {self.number(pruned.margin)}" if pruned.standard_error else ""
        found = self.signed(pruned.value) + error
        tolerance = self.number(pruning.tolerance)
        match pruning.verdict:
            case Verdict.EXCEEDS:
                text += f", and they matter: {found} exceeds the tolerance of {tolerance}."
                text += self._refined()
            case Verdict.UNCERTAIN:
                text += f": {found} may exceed the tolerance of {tolerance}; more coalitions would show it."
            case Verdict.OFFSETTING:
                text += (
                    f": {found}, but they offset each other: {self.older_part()}, more than the tolerance of "
                )
                text += f"{tolerance}.{self._refined()}"
            case _:
                text += f": {found} stays within the tolerance of {tolerance}.{self._scanned()}"
        if not pruning.scan_complete:
            text += " The deadline ended the scan before it reached the oldest event."
        return text

    def older_part(self) -> str:
        """Says which part of the pruned events matters most by the pruning curve, and how much."""
        last = self._explanation.pruned
        cut = last.last_t if last and last.last_t is not None else 0
        within = [point for point in self._explanation.pruning.curve if point.t < cut]
        if not within:
            return "a part of them matters"
        # The curve is cumulative: a point is the importance of all events up to and including it.
        worst = max(within, key=lambda point: abs(point.importance))
        return (
            f"the {self._explanation.length + worst.t} oldest alone count for {self.signed(worst.importance)}"
        )

    def _scanned(self) -> str:
        """Returns a sentence about the oldest events, if the pruning curve was not scanned that far."""
        curve, oldest = self._explanation.pruning.curve, 1 - self._explanation.length
        if not curve or curve[-1].t <= oldest:
            return ""
        return f" The pruning curve was scanned back to t={curve[-1].t} only; full_pruning_curve scans all of it."

    def _refined(self) -> str:
        """Returns a sentence about how to see which of the pruned events matter; empty if they could not be split."""
        if not self._explanation.options.refine_history:
            return " See which with refine_history."
        parts = len(self._explanation.history)
        return f" Below it is split into {parts} parts." if parts > 1 else ""

    def _strongest(self) -> list[str]:
        features = self._explanation.features
        by_strength = sorted(features, key=lambda name: -abs(features[name].value))
        return by_strength[:3] or list(self._features)[:3]


def events_name(block: Attribution) -> str:
    """Returns the name of a block of events, oldest first."""
    if block.first_t == block.last_t:
        return f"t={block.first_t}"
    return f"t={block.first_t}…{block.last_t}"


def quality(level: Quality) -> str:
    """Says how accurate a level is, and how many players are 0 because they equal the background."""
    return f"{sureness(level)}{_null_players(level.null_players)}"


def _null_players(count: int) -> str:
    if not count:
        return ""
    if count == 1:
        return "; 1 player equals the background and is 0"
    return f"; {count} players equal the background and are 0"


def sureness(level: Quality) -> str:
    """How accurate a level is, and why it is coarser than it could be, if the server says so."""
    if level.stop_reason is StopReason.NOT_COMPUTED:
        return f"not computed: {level.detail}"
    return "; ".join(filter(None, (_precision(level), level.detail)))


def _precision(level: Quality) -> str:
    if level.stop_reason is StopReason.EXACT:
        return (
            "exact: 1 coalition" if level.coalitions == 1 else f"exact: all {level.coalitions:,} coalitions"
        )
    why = {
        StopReason.TARGET: "within the target",
        StopReason.BUDGET: "all of max_coalitions",
        StopReason.DEADLINE: "stopped by the deadline",
    }.get(level.stop_reason, level.stop_reason.value)
    errors = f"largest standard error {level.largest_standard_error:.2g}"
    return f"sampled: {level.coalitions:,} coalitions, {errors}, {why}"


def _is_number(text: str) -> bool:
    return text[:1].isdigit()


def _with_unit(value: str, feature: Feature | None) -> str:
    return f"{value} {feature.unit}" if value and feature and feature.unit else value


def _decimals(explanation: Explanation, digits: int) -> int:
    """Returns the number of decimals with which the largest attribution has these significant digits."""
    gain = explanation.score - explanation.base_value
    numbers = [abs(gain if explanation.explained else explanation.score)]
    numbers += [abs(item.value) for level in explanation.levels.values() for item in level.attributions]
    # All numbers get the same decimals, so that readers can add them up.
    largest = max(numbers)
    return digits if largest == 0 else max(digits - 1 - math.floor(math.log10(largest)), 0)
