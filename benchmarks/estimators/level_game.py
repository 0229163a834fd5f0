"""Computes a level of a game as the service does: its stages, stopping rules and solvers."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sequela.concurrency.deadline import Deadline
from sequela.concurrency.worker_pool import WorkerPool
from sequela.explain.estimate.game import play
from sequela.explain.estimate.rules import GameRules
from sequela.explain.estimate.solvers import LOCAL_SOLVERS
from sequela.explain.evaluate.evaluator import Evaluator
from sequela.explain.evaluate.model_caller import ModelCaller
from sequela.explain.game_outcome import GameOutcome
from sequela.explain.option_defaults import MAX_COALITIONS, TARGET_STANDARD_ERROR
from sequela.explain.options import Estimator
from sequela.explain.ports import Observers
from sequela.explain.schema import Link
from sequela.timeshap.players import Extent, Players, event_players

from benchmarks.estimators.known_game import Floats, KnownGame

MAX_PLAYERS = 512


@dataclass(frozen=True, eq=False)
class GameExecution:
    """Runs a game in place of a model. Implements `Execution`."""

    game: KnownGame

    def live(self, players: Players) -> npt.NDArray[np.bool_]:
        """As in `Execution`: every player counts."""
        return np.ones(len(players), dtype=bool)

    def seconds(self, coalitions: int) -> float:  # noqa: ARG002
        """As in `Execution`: unknown."""
        return 0.0

    def base_and_score(self, players: Players) -> Floats:
        """As in `Execution`."""
        return self.game(np.repeat([[False], [True]], len(players), axis=1))[:, np.newaxis]

    def outputs(self, players: Players, coalitions: npt.NDArray[np.bool_], until: float) -> Floats:  # noqa: ARG002
        """As in `Execution`."""
        return self.game(coalitions)[:, np.newaxis]


def level(game: KnownGame, seed: int, estimator: Estimator) -> GameOutcome:
    """Computes a level at default settings: it stops at the default target for a probability, or at the budget."""
    deadline = Deadline()
    with _one_worker() as pool:
        caller = ModelCaller(deadline, pool, Observers(()))
        evaluator = Evaluator(GameExecution(game), [0], Link.IDENTITY, caller)
        rules = GameRules(
            max_coalitions=MAX_COALITIONS,
            max_players=MAX_PLAYERS,
            target=np.array([TARGET_STANDARD_ERROR]),
            seed=seed,
            until=deadline.end,
            estimator=estimator,
            solvers=LOCAL_SOLVERS,
        )
        ends = game(np.repeat([[False], [True]], game.players, axis=1))
        # Which kind of players they are does not matter.
        players = event_players(Extent(game.players, 1), ())
        return play(evaluator, players, ends[1:] - ends[:1], rules)


@contextmanager
def _one_worker() -> Iterator[WorkerPool]:
    pool = WorkerPool(1)
    try:
        yield pool
    finally:
        pool.close()
