"""The port through which a game can be recorded, to find out where a wrong number comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sequela.explain.estimate.outcome import GameOutcome
from sequela.explain.request import Estimator
from sequela.timeshap.players import Players
from sequela.timeshap.regression import Solution


@dataclass(frozen=True, slots=True)
class GameLabel:
    """Which game is recorded. A level can play several games in a row (refined history).

    Attributes:
        explanation: The name `explanations/e` under which the request is computed. An explanation that a deadline cut
            short is stored under another name.
        level: The name of the level.
    """

    explanation: str = ""
    level: str = ""


UNLABELLED = GameLabel()


class GameTrace(Protocol):
    """Records one game. All methods are called in the thread of the request, in order, and must not raise.

    Columns of coalitions are the live players, in their order; null players have no column.
    """

    def evaluated(self, coalitions: NDArray[np.bool_], values: NDArray[np.float64]) -> None:
        """Takes evaluated coalitions (n, live players) and their values v(S) (n, targets), on the link's scale.

        The first half of the rows are the named sides of n/2 complementary pairs, the second half their complements.
        If time runs out within a stage, its coalitions are reported here but are in no solution.
        """

    def solved(self, coalitions: int, solution: Solution, estimator: Estimator) -> None:
        """Takes the solution (live players, targets) of a stage of so many coalitions."""

    def finished(self, outcome: GameOutcome) -> None:
        """Takes the outcome, with all players. Also called for games that were not computed."""


class Tracer(Protocol):
    """Is told of every game. Called from several threads, one for each request."""

    def game(
        self, label: GameLabel, players: Players, live: NDArray[np.bool_], gain: NDArray[np.float64]
    ) -> GameTrace:
        """Starts the record of a game.

        Args:
            label: Which game it is.
            players: All players, with the map from cells to players.
            live: Which of them are no null players, (players,).
            gain: f(X) - f(B) on the link's scale, (targets,).
        """


class NullTracer:
    """Records nothing. Implements `Tracer` and `GameTrace`."""

    def game(self, *_: object) -> GameTrace:
        """As in `Tracer`."""
        return self

    def evaluated(self, *_: object) -> None:
        """As in `GameTrace`."""

    def solved(self, *_: object) -> None:
        """As in `GameTrace`."""

    def finished(self, *_: object) -> None:
        """As in `GameTrace`."""


NO_TRACE = NullTracer()
