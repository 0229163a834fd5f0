"""Plays the levels of one request, in the order of the registry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sequela.explain.estimate.design_cache import DesignCache
from sequela.explain.estimate.question_size import QuestionBudget
from sequela.explain.estimate.rules import GameRules
from sequela.explain.estimate.solvers import LOCAL_SOLVERS, SOLVERS
from sequela.explain.levels.definition import LevelContext, LevelDefinition, LevelResult, LevelResults
from sequela.explain.levels.registry import level_ends
from sequela.explain.limits import Limits
from sequela.explain.option_defaults import budget_of
from sequela.explain.options import Estimator
from sequela.explain.ports import RemoteEndpoint
from sequela.explain.stage_timer import StageTimer
from sequela.explain.tracer import ExplanationTrace
from sequela.timeshap.coalitions import EXACT_AT_ONCE

REMOTE_DIRECT_SHARE = 0.25
"""A stage behind an endpoint may be evaluated directly if it takes at most this share of the time left."""
REMOTE_MAX_ENUMERATED = 256
"""Behind an endpoint, games with more coalitions than this start with a sample: fewer rows may be enough, and each row
may cost money.
"""


@dataclass(frozen=True, slots=True, eq=False)
class LevelPlayer:
    """Plays levels.

    Attributes:
        context: What the levels share.
        endpoint: The model's endpoint; None for a model in this process.
        limits: The service's limits.
        budget: How much memory each level may take.
        timer: Measures each level.
        trace: Records every game.
        designs: The cache of designs.
    """

    context: LevelContext
    endpoint: RemoteEndpoint | None
    limits: Limits
    budget: QuestionBudget
    timer: StageTimer
    trace: ExplanationTrace
    designs: DesignCache

    def play(self, levels: Sequence[LevelDefinition]) -> LevelResults:
        """Plays the levels and returns their results by name. Raises as `game.play` does."""
        deadline = self.context.evaluator.deadline
        ends = level_ends(levels, deadline.now(), deadline.end)
        results: dict[str, LevelResult] = {}
        for level in levels:
            with self.timer(level.name):
                # A level reads the results of those before it. It must not change them.
                rules = self._rules(level.name, ends[level.name])
                results[level.name] = level.play(self.context, rules, results)
        return results

    def _rules(self, level: str, until: float) -> GameRules:
        options = self.context.options
        return GameRules(
            max_coalitions=budget_of(options, self.endpoint),
            max_players=self.limits.max_players,
            budget=self.budget,
            target=self.context.tolerances.standard_error,
            seed=options.seed,
            until=until,
            estimator=options.estimator or Estimator.REGRESSION,
            solvers=SOLVERS if self.endpoint else LOCAL_SOLVERS,
            designs=self.designs,
            max_enumerated=REMOTE_MAX_ENUMERATED if self.endpoint else EXACT_AT_ONCE,
            # In this process the game has a share of its own.
            direct_share=REMOTE_DIRECT_SHARE if self.endpoint else 0.0,
            level=level,
            trace=self.trace,
        )
