"""Attributions and levels. Numbers come one for each target of the explanation, in order; `value` and
`standard_error` are the first target's. Events are t <= 0; t = 0 is the most recent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self

PerTarget = tuple[float, ...]
"""One number for each target."""


class ContractEnum(StrEnum):
    """One of the contract's words."""

    @classmethod
    def _missing_(cls, _: object) -> Self:
        """A newer server's word reads as UNKNOWN, and breaks nothing."""
        return cls("unknown")


class PlayerKind(ContractEnum):
    """Whose attribution it is."""

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
    """Why a level stopped. EXACT means no sampling error."""

    EXACT = "exact"
    TARGET = "target"
    BUDGET = "budget"
    DEADLINE = "deadline"
    NOT_COMPUTED = "not_computed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Attribution:
    """What one player contributed, in units of the explained output after the link.

    `t`: the event of an EVENT, CELL or EVENT_REST. `first_t`, `last_t`: those of PRUNED or HISTORY.
    `selection_uncertain`: its event or feature was chosen only by a margin within two standard errors.
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
        """The first target's attribution."""
        return self.values[0]

    @property
    def standard_error(self) -> float:
        """The first target's standard error; 0 where exact."""
        return self.standard_errors[0]

    def for_target(self, index: int) -> Attribution:
        """The same with one target's numbers only."""
        return replace(self, values=(self.values[index],), standard_errors=(self.standard_errors[index],))


@dataclass(frozen=True, slots=True)
class Quality:
    """How sure a level is, and what it took, over all targets. In a level for one target, `largest_standard_error` is
    that target's. `seconds`: wall time. `estimator`: "regression" or "control_variate"; empty where nothing was
    estimated.
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
class Level:
    """One level, in the server's order; without attributions where it was not computed."""

    attributions: tuple[Attribution, ...]
    quality: Quality

    def of(self, kind: PlayerKind) -> tuple[Attribution, ...]:
        """The attributions of one kind of player."""
        return tuple(item for item in self.attributions if item.kind is kind)

    def for_target(self, index: int) -> Level:
        """The same with one target's numbers only."""
        attributions = tuple(item.for_target(index) for item in self.attributions)
        quality = replace(
            self.quality,
            near_misses=tuple(item.for_target(index) for item in self.quality.near_misses),
            largest_standard_error=max((item.standard_error for item in attributions), default=0.0),
        )
        return Level(attributions, quality)
