"""Before each block of pairs that corrects a process, and each term of a sparse fit, it is asked whether there is time,
and whether anyone waits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from games import sparse_game
from played_games import played
from recurrent_games import event_game
from sequela.concurrency.deadline import Deadline
from sequela.errors import Cancelled
from sequela.explain.estimate.design_cache import DesignCache
from sequela.explain.estimate.solvers import LOCAL_SOLVERS
from sequela.explain.explanation import StopReason
from sequela.explain.game_outcome import GameOutcome
from sequela.explain.options import Estimator
from sequela.timeshap import rank_solver
from sequela.timeshap.control_variate.further_pairs import extended
from sequela.timeshap.control_variate.sparse_solver import sparse_solution

PLAYERS, COALITIONS = 30, 9000
GAME = event_game(PLAYERS, seed=1)


class Asked(Deadline):
    """Does something when a correction asks for the n-th time whether to continue.

    Attributes:
        correcting: Whether a correction has begun.
        times: How often it has asked.
    """

    def __init__(self, number: int = 0, then: Callable[[Deadline], None] = Deadline.cancel) -> None:
        super().__init__()
        self.correcting, self.times, self._number, self._then = False, 0, number, then

    def check(self, until: float = math.inf) -> None:
        self.times += self.correcting
        if self.times and self.times == self._number:
            self._then(self)
        super().check(until)


def drained(deadline: Deadline) -> None:
    deadline.hurry(deadline.now())


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> Callable[..., GameOutcome]:
    """Answers the game with rank kernels, whose designs are kept from one answer to the next."""
    designs = DesignCache()

    def answer(deadline: Asked, coalitions: int = COALITIONS) -> GameOutcome:
        def begun(*arguments: Any) -> Any:
            deadline.correcting = True
            return extended(*arguments)

        monkeypatch.setattr(rank_solver, "extended", begun)
        options: dict[str, Any] = {"estimator": Estimator.CONTROL_VARIATE, "solvers": LOCAL_SOLVERS}
        return played(GAME, PLAYERS, 0.0, deadline, max_coalitions=coalitions, designs=designs, **options)

    return answer


def test_whichever_block_the_time_ends_at_the_answer_is_that_of_the_known_coalitions(
    answered: Callable[..., GameOutcome],
) -> None:
    """A drain brings the deadline forward. The answer says so, and no part of the correction is in it."""
    undisturbed = Asked()
    whole, known = answered(undisturbed), answered(Asked(), rank_solver.MAX_COALITIONS)
    assert undisturbed.times >= 8
    assert not whole.out_of_time
    assert whole.solution is not None
    assert known.solution is not None
    for number in range(1, undisturbed.times + 1):
        cut = answered(Asked(number, drained))
        assert cut.solution is not None
        assert cut.coalitions == COALITIONS
        assert cut.reason is StopReason.BUDGET
        assert cut.out_of_time
        assert "2,048" in cut.detail
        np.testing.assert_array_equal(cut.solution.values, known.solution.values)
        np.testing.assert_array_equal(cut.solution.errors, known.solution.errors)
    late = answered(Asked(undisturbed.times + 1, drained))
    assert late.solution is not None
    assert not late.out_of_time
    np.testing.assert_array_equal(late.solution.values, whole.solution.values)


def test_whoever_hangs_up_waits_for_one_block_at_most(answered: Callable[..., GameOutcome]) -> None:
    undisturbed = Asked()
    answered(undisturbed)
    for number in range(1, undisturbed.times + 1):
        deadline = Asked(number)
        with pytest.raises(Cancelled):
            answered(deadline)
        # Another block may have been asked for beside the one that stopped the work.
        assert deadline.times <= number + 1


def test_what_knows_the_whole_sample_is_not_interrupted(answered: Callable[..., GameOutcome]) -> None:
    deadline = Asked()
    answered(deadline, rank_solver.MAX_COALITIONS)
    assert not deadline.correcting
    assert not deadline.times


@pytest.fixture
def fitted(monkeypatch: pytest.MonkeyPatch) -> Callable[[Asked], GameOutcome]:
    """Answers a game of few interactions, whose designs are kept from one answer to the next."""
    designs, game = DesignCache(), sparse_game(24, seed=3, terms=45)

    def answer(deadline: Asked) -> GameOutcome:
        def begun(*arguments: Any) -> Any:
            deadline.correcting = True
            found = sparse_solution(*arguments)
            deadline.correcting = False
            return found

        monkeypatch.setattr(rank_solver, "sparse_solution", begun)
        options: dict[str, Any] = {"estimator": Estimator.CONTROL_VARIATE, "solvers": LOCAL_SOLVERS}
        most = rank_solver.MAX_COALITIONS
        return played(game, 24, 0.0, deadline, max_coalitions=most, designs=designs, **options)

    return answer


def test_whichever_term_the_time_ends_at_the_answer_is_that_of_the_processes(
    fitted: Callable[[Asked], GameOutcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And says that no sparse fit was tried."""
    undisturbed = Asked()
    whole = fitted(undisturbed)
    monkeypatch.setattr(rank_solver, "MAX_SPARSE_PLAYERS", 0)
    processes = fitted(Asked())
    monkeypatch.undo()
    assert undisturbed.times > 20
    assert whole.solution is not None
    assert processes.solution is not None
    assert whole.solution.largest_error[0] < 0.8 * processes.solution.largest_error[0]
    for number in (1, 2, undisturbed.times // 2, undisturbed.times):
        cut = fitted(Asked(number, drained))
        assert cut.solution is not None
        assert cut.out_of_time
        assert "sparse fit" in cut.detail
        np.testing.assert_array_equal(cut.solution.values, processes.solution.values)
    with pytest.raises(Cancelled):
        fitted(Asked(undisturbed.times // 2))
