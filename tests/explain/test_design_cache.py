"""What is kept between explanations is bounded, changes no answer, and is dropped in the order of its last use."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from asking import explainer, levels, loaded, question
from games import network_game
from matrix import BY_NAME
from played_games import played
from sequela.concurrency.deadline import Deadline
from sequela.explain.estimate.design_cache import ENTRY_BYTES, DesignCache, GameDesigns
from sequela.explain.estimate.solvers import LOCAL_SOLVERS
from sequela.explain.limits import Limits
from sequela.explain.options import Estimator
from sequela.timeshap.coalitions import allocation
from sequela.timeshap.control_variate.rank_kernels import EFFECTIVE_PLAYERS


@dataclass
class Entry:
    nbytes: int


def test_the_least_recently_used_is_dropped() -> None:
    cache = DesignCache(4 * (1000 + ENTRY_BYTES))
    for key in "abcd":
        cache.get(key, lambda: Entry(1000))
    cache.get("a", lambda: pytest.fail("it is kept"))
    cache.get("e", lambda: Entry(1000))
    assert [cache.holds(key) for key in "abcde"] == [True, False, True, True, True]
    assert cache.nbytes == 4 * (1000 + ENTRY_BYTES)


def test_what_would_take_most_of_the_memory_is_not_kept() -> None:
    cache = DesignCache(100_000)
    assert cache.get("large", lambda: Entry(50_000)).nbytes == 50_000
    assert not cache.holds("large")
    assert cache.nbytes == 0


def test_a_thousand_shapes_stay_within_the_limit() -> None:
    """Games of 8 to 27 players with fifty seeds each."""
    cache = DesignCache(3 << 20)
    for seed in range(50):
        for players in range(8, 28):
            designs = GameDesigns(cache, players, (128, 256), seed)
            counts = allocation(players, 128)
            designs.pairs([(0, 0, 1)])
            designs.process(counts, EFFECTIVE_PLAYERS[0])
            assert 0 < cache.nbytes <= 3 << 20


def test_an_answer_does_not_depend_on_what_is_kept() -> None:
    """Bit for bit: nothing kept, kept from the same game, and kept from games of other sizes and seeds."""
    cache = DesignCache()
    found = []
    for designs in (DesignCache(0), cache, cache):
        game = network_game(18, seed=3)
        outcome = played(
            game,
            18,
            0.005,
            estimator=Estimator.CONTROL_VARIATE,
            solvers=LOCAL_SOLVERS,
            designs=designs,
        )
        found.append(outcome)
        for seed in (1, 2):
            played(game, 18, 0.005, seed=seed, estimator=Estimator.CONTROL_VARIATE, designs=cache)
    first = found[0]
    assert first.solution is not None
    for other in found[1:]:
        assert other.solution is not None
        assert other.coalitions == first.coalitions
        assert np.array_equal(other.solution.values, first.solution.values)
        assert np.array_equal(other.solution.errors, first.solution.errors)


def test_the_setting_bounds_the_service() -> None:
    """The same question with and without memory for designs, through the explainer."""
    case = BY_NAME["gru"]
    model = loaded(case)
    asked = question(model, case.sample(16), case.average(), pruning_tolerance=0.0, seed=5)
    answers = []
    for limit in (0, 64 << 20):
        caller = explainer(model, limits=Limits(max_design_bytes=limit))
        answers.append(caller.explain(asked, Deadline()))
        assert caller._pipeline.designs.nbytes <= limit
    first, second = (levels(each)[0] for each in answers)
    assert [each.values for each in first.attributions] == [each.values for each in second.attributions]
