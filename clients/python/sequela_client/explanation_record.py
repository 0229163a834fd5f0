"""What an explanation consists of, and the views of it that callers ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self

from sequela_client.attributions import Attribution, LevelAttributions, PlayerKind
from sequela_client.explanation_parts import (
    Cost,
    EventValues,
    ExplanationWarning,
    Feature,
    Pruning,
    Reason,
    SequenceState,
    TargetScore,
)
from sequela_client.inputs import Sequence
from sequela_client.options import UsedOptions


@dataclass(frozen=True, slots=True, repr=False)
class ExplanationRecord:
    """The contents of an explanation, as the server made it.

    Numbers for which no target is named are those of the first target; `target(name)` gives another's. Events are
    counted back from the latest: t = 0 is the latest event, t = -1 the one before it.

    Args:
        name: its name on the server, `explanations/e`; empty for a dry run, which is not stored.
        length: how many real events the sequence has, without padding.
        targets: the explained outputs with their scores.
        explained: False if the score was below `minimum_score`; there are then no levels.
        pruning: what was pruned, and whether it matters.
        levels: the requested levels and those that they require, by name.
        options: the options that were used.
        feature_info: the features as people read them.
        event_values: the unpruned events, latest first, then those pruned ones about which the caller sent something.
        static_values: values of static features as people read them.
        cut_short: whether the deadline ended the computation early.
        warnings: what to know before relying on the numbers.
        output_count: how many outputs the model has; `targets` may be a part of them.
        reasons_by_target: the main reasons for each target's score, by its name; at most four each.
        requested_by: the name of the authenticated caller whose request it answers; empty if the server does not know.
        event_weights: the model's own weight of each event, such as its attention, oldest event first as in the
            sequence; empty if the model has none.
        sequence: the sequence as it was sent, of a stored explanation whose sequence was kept; otherwise None.
        sequence_state: whether the sequence of a stored explanation was kept.
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
    levels: Mapping[str, LevelAttributions]
    options: UsedOptions
    feature_info: tuple[Feature, ...]
    event_values: tuple[EventValues, ...]
    static_values: Mapping[str, str]
    cost: Cost
    method_version: str
    cut_short: bool
    warnings: tuple[ExplanationWarning, ...] = ()
    output_count: int = 0
    reasons_by_target: Mapping[str, tuple[Reason, ...]] = field(default_factory=dict)
    event_weights: tuple[float, ...] = ()
    requested_by: str = ""
    # An explanation is the same whether it was read with its sequence or not.
    sequence: Sequence | None = field(default=None, compare=False)
    sequence_state: SequenceState = field(default=SequenceState.UNKNOWN, compare=False)

    @property
    def base_value(self) -> float:
        """f(B), the score of the background, after the link; NaN if the score was below `minimum_score`."""
        return self.targets[0].base_value

    @property
    def score(self) -> float:
        """f(X), the score of the sequence, after the link."""
        return self.targets[0].score

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """The main reasons for the first target's score, at most four: first what moved it away from the base value,
        the strongest first, then what moved it back.
        """
        return self.reasons_by_target.get(self.targets[0].name, ())

    @property
    def event_level(self) -> LevelAttributions | None:
        """The event level; None if it was not requested."""
        return self.levels.get("event")

    @property
    def feature_level(self) -> LevelAttributions | None:
        """The feature level; None if it was not requested."""
        return self.levels.get("feature")

    @property
    def cell_level(self) -> LevelAttributions | None:
        """The cell level; None if it was not requested."""
        return self.levels.get("cell")

    @property
    def events(self) -> tuple[Attribution, ...]:
        """The attributions of the unpruned events, latest first."""
        return self._of(self.event_level, PlayerKind.EVENT)[::-1]

    @property
    def history(self) -> tuple[Attribution, ...]:
        """The attributions of the blocks into which `refine_history` split the pruned events, latest first."""
        return self._of(self.event_level, PlayerKind.HISTORY)[::-1]

    @property
    def pruned(self) -> Attribution | None:
        """The joint attribution of the pruned events; None if nothing was pruned or no level was computed."""
        pruning = self.pruning
        if not pruning.pruned_events or not pruning.values:
            return None
        # The pruned events are always the oldest ones.
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
        """The joint attribution of all static inputs at the event level; None if the model has none."""
        return next(iter(self._of(self.event_level, PlayerKind.STATIC)), None)

    @property
    def features(self) -> dict[str, Attribution]:
        """The attributions of the features by name, in the model's order."""
        return {str(item.feature): item for item in self._of(self.feature_level, PlayerKind.FEATURE)}

    @property
    def cells(self) -> tuple[Attribution, ...]:
        """The cell level: pruned events, single cells, other features of an event, other events of a feature, all other
        cells, static inputs.
        """
        return self.cell_level.attributions if self.cell_level else ()

    def target(self, name: str) -> Self:
        """The same explanation with the numbers of one target. Raises KeyError if it was not explained."""
        names = [target.name for target in self.targets]
        if name not in names:
            raise KeyError(f"{name!r} is not one of the explained targets: {', '.join(names)}")
        index = names.index(name)
        return replace(
            self,
            targets=(self.targets[index],),
            pruning=self.pruning.for_target(index),
            options=self.options.for_target(index),
            levels={level_name: level.for_target(index) for level_name, level in self.levels.items()},
            reasons_by_target={name: self.reasons_by_target.get(name, ())},
        )

    def displayed(self, t: int, feature: str) -> str:
        """A feature's value at event t as people read it; what the caller sent takes precedence. Empty if unknown."""
        event = next((event for event in self.event_values if event.t == t), None)
        return "" if event is None else _value(event, feature)

    def peak(self, feature: str) -> int | None:
        """The event t whose value belongs beside a feature's attribution to the first target.

        It is the event of the feature's strongest single cell. Without single cells it is the latest event, if the
        feature has the same value at all events.

        Returns:
            None if values differ and no cell shows which of them mattered, for a static feature, and if no values
            are known.
        """
        known = {event.t: _value(event, feature) for event in self.event_values}
        known = {t: value for t, value in known.items() if value}
        strength = {
            item.t: abs(item.value)
            for item in self.cells
            if item.kind is PlayerKind.CELL and item.feature == feature and item.value and item.t in known
        }
        if strength:
            # Of equally strong cells the latest counts.
            return max(strength, key=lambda t: (strength[t], t))
        return max(known, default=None) if len(set(known.values())) == 1 else None

    @staticmethod
    def _of(level: LevelAttributions | None, kind: PlayerKind) -> tuple[Attribution, ...]:
        return level.of(kind) if level else ()


def _value(event: EventValues, feature: str) -> str:
    """Returns a feature's value at an event for people. The caller's own text takes precedence."""
    return event.info.display.get(feature) or event.values.get(feature, "")
