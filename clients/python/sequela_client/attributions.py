"""Attributions and levels.

Numbers are tuples with one item for each target of the explanation, in order; `value` and `standard_error` are those
of the first target. Events are counted back from the latest, which is t = 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self

PerTarget = tuple[float, ...]
"""One number for each target."""
NORMAL_95 = 1.96
"""A 95 % interval reaches this many standard errors to either side."""


class ContractEnum(StrEnum):
    """The members of one of the contract's enums, as the words that people write."""

    @classmethod
    def _missing_(cls, _: object) -> Self:
        """Returns UNKNOWN for a word that only newer servers send."""
        return cls("unknown")


class PlayerKind(ContractEnum):
    """The kind of player that an attribution belongs to."""

    EVENT = "event"  # one unpruned event
    FEATURE = "feature"  # one feature
    CELL = "cell"  # one feature at one event
    EVENT_REST = "event_rest"  # a relevant event's other features
    FEATURE_REST = "feature_rest"  # a relevant feature at the other unpruned events
    OTHER = "other"  # all other cells
    PRUNED = "pruned"  # all pruned events
    HISTORY = "history"  # a part of the pruned events
    STATIC = "static"  # all static inputs
    UNKNOWN = "unknown"


class StopReason(ContractEnum):
    """Why sampling stopped in a level. EXACT means that there is no sampling error."""

    EXACT = "exact"
    TARGET = "target"
    BUDGET = "budget"
    DEADLINE = "deadline"
    NOT_COMPUTED = "not_computed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Attribution:
    """The contribution of one player, in units of the explained output after the link.

    Args:
        kind: the kind of player.
        values: the attribution for each target.
        standard_errors: their standard errors; 0 if exact.
        t: the event of an EVENT, CELL or EVENT_REST.
        first_t: the oldest event of PRUNED or HISTORY.
        last_t: the latest event of PRUNED or HISTORY.
        feature: the feature of a FEATURE, CELL or FEATURE_REST.
        selection_uncertain: whether its event or feature was selected by a margin of less than two standard errors.
    """

    kind: PlayerKind
    values: PerTarget
    standard_errors: PerTarget
    t: int | None = None
    first_t: int | None = None
    last_t: int | None = None
    feature: str | None = None
    selection_uncertain: bool = False

    @property
    def value(self) -> float:
        """The attribution for the first target."""
        return self.values[0]

    @property
    def standard_error(self) -> float:
        """The standard error for the first target; 0 if exact."""
        return self.standard_errors[0]

    @property
    def margin(self) -> float:
        """Half of the 95 % interval for the first target: 1.96 standard errors; 0 if exact."""
        return NORMAL_95 * self.standard_error

    def for_target(self, index: int) -> Attribution:
        """Returns a copy that has the numbers of one target only."""
        return replace(self, values=(self.values[index],), standard_errors=(self.standard_errors[index],))


@dataclass(frozen=True, slots=True)
class Quality:
    """How accurate the numbers of a level are, and what they cost.

    Args:
        stop_reason: why sampling stopped.
        detail: for people, what was missing if the level was not computed, or why it is coarser than it could be;
            else empty.
        players: how many players the game has, without null players.
        coalitions: how many coalitions were evaluated.
        largest_standard_error: over all targets, or of the one target of `Explanation.target`.
        additivity_residual: the largest value of |sum of attributions - (score - base value)| over all targets.
        clipped_coalitions: how many outputs the logit link clipped.
        selection_truncated: whether some events or features were dropped, because there would be too many players.
        near_misses: events and features that were not selected for the cell level, by a margin of less than two
            standard errors.
        seconds: wall time.
        estimator: "regression" or "control_variate"; empty if nothing was estimated.
        null_players: how many players equal the background; their attribution is 0.
    """

    stop_reason: StopReason
    detail: str
    players: int
    coalitions: int
    largest_standard_error: float
    additivity_residual: float
    clipped_coalitions: int
    selection_truncated: bool
    near_misses: tuple[Attribution, ...]
    seconds: float
    estimator: str
    null_players: int = 0


@dataclass(frozen=True, slots=True)
class LevelAttributions:
    """One level: its attributions, which are empty if it was not computed, and their quality."""

    attributions: tuple[Attribution, ...]
    quality: Quality

    def of(self, kind: PlayerKind) -> tuple[Attribution, ...]:
        """Returns the attributions of one kind of player."""
        return tuple(item for item in self.attributions if item.kind is kind)

    def for_target(self, index: int) -> LevelAttributions:
        """Returns a copy that has the numbers of one target only."""
        attributions = tuple(item.for_target(index) for item in self.attributions)
        quality = replace(
            self.quality,
            near_misses=tuple(item.for_target(index) for item in self.quality.near_misses),
            largest_standard_error=max((item.standard_error for item in attributions), default=0.0),
        )
        return LevelAttributions(attributions, quality)
