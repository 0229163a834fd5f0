"""The rules of one game: budget, target, time, and how stages are chosen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sequela.explain.options import Estimator
from sequela.explain.tracer import NO_TRACE, ExplanationTrace
from sequela.timeshap.coalitions import EXACT_AT_ONCE, FEWEST_TO_TRUST


@dataclass(frozen=True, slots=True, eq=False)
class GameRules:
    """The rules of one game.

    Attributes:
        max_coalitions: The budget n, with the empty coalition and the one of all players.
        max_players: Games of more players are not computed.
        target: The standard error to reach, (targets,); 0 uses the whole budget.
        seed: The seed of the sample.
        until: When the game must have ended, in seconds on the monotonic clock.
        estimator: How attributions follow from the values.
        max_enumerated: Games of at most so many coalitions are evaluated whole, without a first sample.
        direct_share: The share of the time left that one stage may take to be evaluated directly, without the stages
            before it (see `StagePlan`); 0 takes one stage after the other.
        level: The name of the level, for the trace.
        trace: Records the game.
    """

    max_coalitions: int
    max_players: int
    target: NDArray[np.float64]
    seed: int
    until: float
    estimator: Estimator = Estimator.REGRESSION
    max_enumerated: int = EXACT_AT_ONCE
    direct_share: float = 0.0
    level: str = ""
    trace: ExplanationTrace = NO_TRACE

    @property
    def has_target(self) -> bool:
        """Whether a standard error can end the game: it must be above 0 for every target."""
        return bool(self.target.all())

    @property
    def min_trusted(self) -> int:
        """The smallest sample whose error bars may end the game; 0 without a target."""
        return FEWEST_TO_TRUST if self.has_target else 0
