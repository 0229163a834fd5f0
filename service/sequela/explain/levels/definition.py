"""Defines a level: the game that it plays, the levels it requires, and how its result becomes an explanation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sequela.explain.estimate.game import play
from sequela.explain.estimate.rules import GameRules
from sequela.explain.evaluate.evaluator import Evaluator
from sequela.explain.explanation import LevelExplanation
from sequela.explain.game_outcome import GameOutcome
from sequela.explain.layout import Layout
from sequela.explain.levels.level_assembly import level_explanation
from sequela.explain.option_defaults import Tolerances
from sequela.explain.options import Options
from sequela.timeshap.history import History
from sequela.timeshap.players import Extent, Players


@dataclass(frozen=True, slots=True, eq=False)
class LevelContext:
    """The context that all levels of one explanation share.

    Attributes:
        evaluator: Returns the values of coalitions.
        layout: The model's features.
        extent: The size of the sequence.
        options: The options of the request.
        tolerances: The tolerances that are used, (targets,) each.
        pruned: The number of events in the pruned block P, counted from the oldest.
        history: What the pruning scan found within P.
        gain: f(X) - f(B) on the link's scale, (targets,).
    """

    evaluator: Evaluator
    layout: Layout
    extent: Extent
    options: Options
    tolerances: Tolerances
    pruned: int
    history: History
    gain: NDArray[np.float64]

    def play(self, players: Players, rules: GameRules) -> GameOutcome:
        """Plays a game with these players. Raises as `game.play` does."""
        return play(self.evaluator, players, self.gain, rules)


@dataclass(frozen=True, slots=True, eq=False)
class LevelResult:
    """The result of a level. `outcome` is the game whose attributions are the level."""

    outcome: GameOutcome

    @property
    def games(self) -> tuple[GameOutcome, ...]:
        """All games that were played for the level."""
        return (self.outcome,)

    @property
    def unrefined(self) -> GameOutcome:
        """The game in which the pruned block P is a single player, if there is one."""
        return self.outcome

    @property
    def nothing_relevant(self) -> bool:
        """Whether the level was solved but has no players of its own, because nothing in the levels before it was
        relevant.
        """
        return False


LevelResults: TypeAlias = Mapping[str, LevelResult]
"""The results so far, by level name, in the order of the registry."""


def attributions_of(context: LevelContext, result: LevelResult, _: LevelResults) -> LevelExplanation:
    """Returns the explanation of a level that is based on its own game only."""
    return level_explanation(context.layout, result.outcome, context.gain)


def always(_: Options) -> bool:
    """Returns True, whatever the options are."""
    return True


def never(_: Options) -> bool:
    """Returns False, whatever the options are."""
    return False


@dataclass(frozen=True, slots=True)
class LevelDefinition:
    """One level of explanation.

    Attributes:
        name: The name in options and answers. The contract has a field `{name}_level` for it.
        time_share: Its share of the time left after pruning, relative to the shares of the other requested levels.
        play: Plays the level's game, given the results of the levels before it.
        requires: The levels that must be played before this one. They become part of the answer too.
        assemble: Builds the level's part of the answer from all results.
        needs_cut: Whether the level depends on the pruning cut, given the options.
        needs_whole_curve: Whether the level also needs the pruning curve within P, given the options.
    """

    name: str
    time_share: float
    play: Callable[[LevelContext, GameRules, LevelResults], LevelResult]
    requires: tuple[str, ...] = ()
    assemble: Callable[[LevelContext, LevelResult, LevelResults], LevelExplanation] = attributions_of
    needs_cut: Callable[[Options], bool] = always
    needs_whole_curve: Callable[[Options], bool] = never
