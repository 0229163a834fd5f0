"""The ports through which an explanation is recorded, to find out where a wrong number comes from."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sequela.explain.base_and_score import ScoredTask
from sequela.explain.explanation import Explanation
from sequela.explain.game_outcome import GameOutcome
from sequela.explain.options import Estimator
from sequela.explain.task import Task
from sequela.timeshap.players import Players
from sequela.timeshap.regression import Solution


class GameTrace(Protocol):
    """Records one game. All methods are called in the thread of the request, in order, and must not raise.

    Columns of coalitions are the live players, in their order; null players have no column.
    """

    def evaluated(self, coalitions: NDArray[np.bool_], values: NDArray[np.float64]) -> None:
        """Receives evaluated coalitions (n, live players) and their values v(S) (n, targets), on the link's scale.

        The first half of the rows are the named sides of n/2 complementary pairs, the second half their complements.
        If time runs out within a stage, its coalitions are reported here but are in no solution.
        """

    def solved(self, coalitions: int, solution: Solution, estimator: Estimator) -> None:
        """Receives the solution of a stage with this number of coalitions, (live players, targets)."""

    def finished(self, outcome: GameOutcome) -> None:
        """Receives the outcome, with all players. Also called for games that were not computed."""


class ExplanationTrace(Protocol):
    """Records one explanation. All methods are called in the thread of the request, in order, and must not raise."""

    def execution_chosen(self, execution: str) -> None:
        """Receives how the coalitions are run: `whole`, `states` or `endpoint`."""

    def scored(self, scored: ScoredTask) -> None:
        """Receives f(B) and f(X), with the targets that were chosen."""

    def pruned(
        self, events: int, splits: NDArray[np.intp], curve: NDArray[np.float64], complete: bool
    ) -> None:
        """Receives the result of the pruning scan.

        Args:
            events: The number of events in the pruned block P.
            splits: The number of events before each split that was scanned, (k,).
            curve: w1 of these splits, (k, targets).
            complete: Whether the scan finished in time.
        """

    def game(self, level: str, players: Players, live: NDArray[np.bool_]) -> GameTrace:
        """Starts the record of a game. A level can play several games in a row (refined history).

        Args:
            level: The name of the level.
            players: All players, with the map from cells to players.
            live: Which of them are not null players, (players,).
        """

    def finished(self, explanation: Explanation) -> None:
        """Receives the answer. Its name differs from the record's if the deadline cut it short."""

    def failed(self, error: BaseException) -> None:
        """Receives the error because of which there is no answer."""


class Tracer(Protocol):
    """Records every explanation that is computed. Called from several threads, one for each request."""

    def explanation(self, name: str, task: Task) -> ExplanationTrace:
        """Starts the record of the explanation with this name. Must not raise."""


class NullTracer:
    """Records nothing. Implements `Tracer`, `ExplanationTrace` and `GameTrace`."""

    def explanation(self, *_: object) -> ExplanationTrace:
        """As in `Tracer`."""
        return self

    def execution_chosen(self, *_: object) -> None:
        """As in `ExplanationTrace`."""

    def scored(self, *_: object) -> None:
        """As in `ExplanationTrace`."""

    def pruned(self, *_: object) -> None:
        """As in `ExplanationTrace`."""

    def game(self, *_: object) -> GameTrace:
        """As in `ExplanationTrace`."""
        return self

    def failed(self, *_: object) -> None:
        """As in `ExplanationTrace`."""

    def evaluated(self, *_: object) -> None:
        """As in `GameTrace`."""

    def solved(self, *_: object) -> None:
        """As in `GameTrace`."""

    def finished(self, *_: object) -> None:
        """As in `GameTrace` and `ExplanationTrace`."""


NO_TRACE = NullTracer()
