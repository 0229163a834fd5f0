"""Computes a level from a numpy game as the service does: its stages, stopping rules and solvers."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from core_sampling import Game, gain
from numpy.typing import NDArray
from pools import pool_of
from sequela.concurrency import deadline as deadlines
from sequela.concurrency.deadline import Deadline
from sequela.explain.estimate.game import play
from sequela.explain.estimate.rules import GameRules
from sequela.explain.evaluate.evaluator import Evaluator
from sequela.explain.evaluate.model_caller import ModelCaller
from sequela.explain.game_outcome import GameOutcome
from sequela.explain.ports import Observers
from sequela.explain.schema import Link
from sequela.timeshap.players import Extent, Players, event_players

BATCH = 64


@contextmanager
def own_clock() -> Iterator[None]:
    """Stops the clock of deadlines, which goes on only as long as coalitions are said to take: however busy the machine
    is, the same fits into the same time.
    """
    now = [time.monotonic()]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    with pytest.MonkeyPatch.context() as patch:
        clock = SimpleNamespace(monotonic=lambda: now[0], sleep=sleep)
        for place in (deadlines, sys.modules[__name__]):
            patch.setattr(place, "time", clock)
        yield


@dataclass(eq=False)
class GameRuns:
    """Values of a game, in the form in which an `Execution` returns outputs.

    Attributes:
        null: The players that are reported to change nothing.
        each: How long a coalition takes, in seconds.
        asked: How many coalitions were evaluated in each call.
    """

    game: Game
    null: tuple[int, ...] = ()
    each: float = 0.0
    asked: list[int] = field(default_factory=list)

    def live(self, players: Players) -> NDArray[np.bool_]:
        return ~np.isin(np.arange(len(players)), self.null)

    def seconds(self, coalitions: int) -> float:
        return coalitions * self.each

    def base_and_score(self, players: Players) -> NDArray[np.float64]:
        return self.game(np.repeat([[False], [True]], len(players), axis=1))

    def outputs(self, players: Players, coalitions: NDArray[np.bool_], until: float) -> NDArray[np.float64]:
        self.asked.append(len(coalitions))
        for start in range(0, len(coalitions) if self.each else 0, BATCH):
            Deadline(until - Deadline.now()).check()
            time.sleep(self.each * min(BATCH, len(coalitions) - start))
        return self.game(coalitions)


def played(
    game: Game, players: int, target: float, deadline: Deadline | None = None, **options: Any
) -> GameOutcome:
    """Computes a level of `players` events. `target` is the standard error at which it stops; 0 never stops it."""
    deadline = deadline or Deadline()
    runs = options.pop("runs", None) or GameRuns(game)
    usual: dict[str, Any] = {"max_coalitions": 32_768, "seed": 0, "until": deadline.end}
    with pool_of(1) as pool:
        evaluator = Evaluator(runs, [0], Link.IDENTITY, ModelCaller(deadline, pool, Observers(())))
        rules = GameRules(max_players=512, target=np.array([target]), **usual | options)
        return play(evaluator, event_players(Extent(players, 1), ()), gain(game, players), rules)
