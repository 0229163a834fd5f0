"""An explanation, as the server made it, with the views that people ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from sequela_client import export
from sequela_client.attributions import Attribution, Level, PlayerKind, StopReason
from sequela_client.explanation_parts import (
    Cost,
    EventValues,
    ExplanationWarning,
    Feature,
    Pruning,
    TargetScore,
)
from sequela_client.options import UsedOptions

_MOST_TARGETS = 3
"""Scores that the short form shows."""


@dataclass(frozen=True, slots=True, repr=False)
class Explanation:
    """Why a sequence scored what it did.

    `length`: real events of the sequence. `explained`: False where the score was below `minimum_score`; it
    then has no levels. A level is None where it was not asked for. `event_values`: the unpruned events, most
    recent first, then pruned ones about which the caller sent something. Numbers without a target named are
    the first target's; `target(name)` gives another's. `output_count`: outputs that the model has, of which `targets`
    may be a part. `warnings`: what to know before relying on the numbers.
    """

    name: str
    create_time: datetime
    caller_id: str
    labels: Mapping[str, str]
    model: str
    model_digest: str
    background: str
    background_digest: str
    length: int
    targets: tuple[TargetScore, ...]
    explained: bool
    pruning: Pruning
    event_level: Level | None
    feature_level: Level | None
    cell_level: Level | None
    options: UsedOptions
    feature_info: tuple[Feature, ...]
    event_values: tuple[EventValues, ...]
    static_values: Mapping[str, str]
    cost: Cost
    method_version: str
    cut_short: bool
    warnings: tuple[ExplanationWarning, ...] = ()
    output_count: int = 0

    def __repr__(self) -> str:
        """A few lines, one for each warning among them; `to_json` has everything."""
        scores = [f"{each.name} {each.base_value:.4g} -> {each.score:.4g}" for each in self.targets]
        more = len(scores) - _MOST_TARGETS
        told = ", ".join(scores[:_MOST_TARGETS]) + (f" and {more} more" if more > 0 else "")
        levels = ", ".join(f"{name} {_how_sure(level)}" for name, level in self.levels.items())
        how = f"{self.pruning.pruned_events} of {self.length} events pruned; levels: {levels or 'none'}"
        lines = [told, how if self.explained else "below the minimum score, not explained"]
        lines += [f"warning {each.reason}: {each.message}" for each in self.warnings]
        return "\n  ".join([f"<Explanation {self.name}", *lines]) + ">"

    @property
    def base_value(self) -> float:
        """f(B), after the link; NaN where the score was below `minimum_score`."""
        return self.targets[0].base_value

    @property
    def score(self) -> float:
        """f(X), after the link."""
        return self.targets[0].score

    @property
    def levels(self) -> dict[str, Level]:
        """The levels that were answered, by name: event, feature, cell."""
        named = {"event": self.event_level, "feature": self.feature_level, "cell": self.cell_level}
        return {name: level for name, level in named.items() if level is not None}

    @property
    def events(self) -> tuple[Attribution, ...]:
        """The unpruned events' attributions, most recent first."""
        return self._of(self.event_level, PlayerKind.EVENT)[::-1]

    @property
    def history(self) -> tuple[Attribution, ...]:
        """The blocks that `refine_history` split the pruned events into, most recent first."""
        return self._of(self.event_level, PlayerKind.HISTORY)[::-1]

    @property
    def pruned(self) -> Attribution | None:
        """The pruned events' joint attribution; None where nothing was pruned or no level was computed."""
        pruning = self.pruning
        if not pruning.pruned_events or not pruning.values:
            return None
        oldest = 1 - self.length
        return Attribution(
            PlayerKind.PRUNED,
            pruning.values,
            pruning.standard_errors,
            first_t=oldest,
            last_t=oldest + pruning.pruned_events - 1,
        )

    @property
    def static(self) -> Attribution | None:
        """All static inputs' joint attribution at the event level; None where the model has none."""
        return next(iter(self._of(self.event_level, PlayerKind.STATIC)), None)

    @property
    def features(self) -> dict[str, Attribution]:
        """The features' attributions by name, in the model's order."""
        return {str(item.feature): item for item in self._of(self.feature_level, PlayerKind.FEATURE)}

    @property
    def cells(self) -> tuple[Attribution, ...]:
        """The cell level: P, single cells, rest of events, rest of features, all other, static."""
        return self.cell_level.attributions if self.cell_level else ()

    def target(self, name: str) -> Explanation:
        """The same explanation for one target. Raises KeyError for one that was not explained."""
        names = [target.name for target in self.targets]
        if name not in names:
            raise KeyError(f"{name!r} is none of the explained targets {', '.join(names)}")
        index = names.index(name)
        return replace(
            self,
            targets=(self.targets[index],),
            pruning=self.pruning.for_target(index),
            options=self.options.for_target(index),
            event_level=self.event_level and self.event_level.for_target(index),
            feature_level=self.feature_level and self.feature_level.for_target(index),
            cell_level=self.cell_level and self.cell_level.for_target(index),
        )

    def displayed(self, t: int, feature: str) -> str:
        """A feature's value at event t as people read it, the caller's words first; empty where unknown."""
        event = next((event for event in self.event_values if event.t == t), None)
        if event is None:
            return ""
        return event.info.display.get(feature) or event.values.get(feature, "")

    def peak(self, feature: str) -> int | None:
        """The event t whose value of a feature to read beside the feature's attribution to the first target.

        That of its strongest single cell; where it has none, the most recent one, if the value is the same at all
        events. None where the values differ and no cell tells which of them mattered, for a static feature, and where
        no event's values are known.
        """
        known = {event.t: self.displayed(event.t, feature) for event in self.event_values}
        known = {t: value for t, value in known.items() if value}
        strength = {
            item.t: abs(item.value)
            for item in self.cells
            if item.kind is PlayerKind.CELL and item.feature == feature and item.value and item.t in known
        }
        if strength:
            return max(strength, key=lambda t: (strength[t], t))
        return max(known, default=None) if len(set(known.values())) == 1 else None

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON knows it: times in ISO 8601."""
        return {field.name: export.plain(getattr(self, field.name)) for field in fields(self)}

    def to_json(self, *, indent: int | None = 2) -> str:
        """Everything as JSON text."""
        return export.to_json(self, indent)

    def to_csv(self) -> str:
        """One row for each attribution and target, with a header."""
        return export.to_csv(self)

    @staticmethod
    def _of(level: Level | None, kind: PlayerKind) -> tuple[Attribution, ...]:
        return level.of(kind) if level else ()


def _how_sure(level: Level) -> str:
    """Exact, or sampled until its errors were small enough, or until a budget or a deadline ended it."""
    stop = level.quality.stop_reason
    ended = {
        StopReason.TARGET: "sampled",
        StopReason.BUDGET: "sampled to its budget",
        StopReason.DEADLINE: "sampled to its deadline",
    }
    return ended.get(stop, stop.value.replace("_", " "))
