"""The rules of one game: budget, target, time, and how stages are chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sequela.explain.estimate.design_cache import DesignCache
from sequela.explain.estimate.question_size import NO_BUDGET, QuestionBudget
from sequela.explain.estimate.solvers import SOLVERS, Solver
from sequela.explain.options import Estimator
from sequela.explain.tracer import NO_TRACE, ExplanationTrace
from sequela.timeshap.coalitions import EXACT_AT_ONCE, FEWEST_TO_TRUST


@dataclass(frozen=True, slots=True, eq=False)
class GameRules:
    """The rules of one game.

    Attributes:
        max_coalitions: The budget n, including the empty and the full coalition.
        max_players: Games with more players are not computed.
        budget: How much memory the game may take.
        target: The standard error to reach, (targets,); 0 uses the whole budget.
        seed: The seed of the sample.
        until: When the game must have ended, in seconds on the monotonic clock.
        estimator: How attributions are estimated from the values.
        solvers: The estimators, by name.
        designs: The cache of designs.
        max_enumerated: Games with at most this many coalitions are evaluated completely, without a first sample.
        direct_share: A stage may be evaluated directly, skipping the stages before it, if it takes at most this share
            of the time left (see `StagePlan`); 0 for a model in this process, which has a share of its own.
        level: The name of the level, for the trace.
        trace: Records the game.
    """

    max_coalitions: int
    max_players: int
    target: NDArray[np.float64]
    seed: int
    until: float
    estimator: Estimator = Estimator.REGRESSION
    solvers: Mapping[Estimator, Solver] = field(default_factory=lambda: SOLVERS)
    designs: DesignCache = field(default_factory=DesignCache)
    budget: QuestionBudget = NO_BUDGET
    max_enumerated: int = EXACT_AT_ONCE
    direct_share: float = 0.0
    level: str = ""
    trace: ExplanationTrace = NO_TRACE

    @property
    def solver(self) -> Solver:
        """The estimator that is used if there is time for it."""
        return self.solvers[self.estimator]

    @property
    def has_target(self) -> bool:
        """Whether reaching a standard error can end the game. It must be above 0 for every target."""
        return bool(self.target.all())

    @property
    def min_trusted(self) -> int:
        """The smallest sample whose standard errors may end the game; 0 if no target is set."""
        return FEWEST_TO_TRUST if self.has_target else 0
