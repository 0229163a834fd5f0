"""What is kept between explanations is bounded, changes no answer, and is dropped in the order of its last use."""

from __future__ import annotations

import tracemalloc
from dataclasses import dataclass

import numpy as np
import pytest
from asking import explainer, levels, loaded, question
from games import network_game
from matrix import BY_NAME
from numpy.typing import NDArray
from played_games import GameRuns, own_clock, played
from sequela.concurrency.deadline import Deadline, DeadlinePassed
from sequela.explain.estimate.design_cache import ENTRY_BYTES, DesignCache, GameDesigns
from sequela.explain.estimate.solvers import LOCAL_SOLVERS
from sequela.explain.explanation import StopReason
from sequela.explain.limits import Limits
from sequela.explain.options import Estimator
from sequela.timeshap.coalitions import allocation
from sequela.timeshap.control_variate.rank_kernels import EFFECTIVE_PLAYERS
from sequela.timeshap.players import Players
from sweeps import examples
from waiting import eventually


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
    """Games of 8 to 27 players with fifty seeds each; in the fast run with five, which do not fit either."""
    cache, made = DesignCache(1 << 20), 0
    for seed in range(examples(50)):
        for players in range(8, 28):
            designs = GameDesigns(cache, players, (128, 256), seed)
            counts = allocation(players, 128)
            designs.pairs([(0, 0, 1)])
            made += designs.process(counts, EFFECTIVE_PLAYERS[0]).nbytes
            assert 0 < cache.nbytes <= 1 << 20
    assert made > 2 << 20


def test_an_answer_does_not_depend_on_what_is_kept() -> None:
    """Bit for bit: nothing kept, kept from the same game, and kept from games of other sizes and seeds."""
    cache = DesignCache()
    found = []
    for designs in (DesignCache(0), cache, cache):
        game = network_game(14, seed=3)
        outcome = played(
            game,
            14,
            0.01,
            estimator=Estimator.CONTROL_VARIATE,
            solvers=LOCAL_SOLVERS,
            designs=designs,
        )
        found.append(outcome)
        played(game, 14, 0.01, seed=1, estimator=Estimator.CONTROL_VARIATE, designs=cache)
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


@pytest.mark.slow
def test_large_designs_are_counted_or_not_kept() -> None:
    """With 2^17 coalitions of 30 players and other seeds, memory does not grow: what is not counted is not kept."""
    cache = DesignCache(16 << 20)
    counts = allocation(30, 1 << 17)
    tracemalloc.start()
    peaks = []
    for seed in range(4):
        GameDesigns(cache, 30, (128, 1 << 17), seed).sample(counts)
        peaks.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert peaks[-1] < peaks[0] + (4 << 20)
    assert cache.nbytes <= 16 << 20


@pytest.mark.parametrize(("players", "budget"), [(18, 1024), (46, 1024)])
def test_what_is_kept_is_about_what_is_counted(players: int, budget: int) -> None:
    cache = DesignCache()
    counts = allocation(players, budget)
    # What all games share, such as tables of subsets, is made first.
    GameDesigns(DesignCache(0), players, (128, budget), 0).process(counts, EFFECTIVE_PLAYERS[0])
    tracemalloc.start()
    GameDesigns(cache, players, (128, budget), 1).process(counts, EFFECTIVE_PLAYERS[0])
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 0.7 < held / cache.nbytes < 1.3


def test_the_pairs_of_samples_that_are_larger_than_a_process_are_counted() -> None:
    """What is held while such samples are solved stays within the limit, and is about what is counted."""
    cache = DesignCache(1 << 20)
    known = allocation(30, 2048)
    tracemalloc.start()
    for seed in range(20):
        GameDesigns(cache, 30, (128, 1 << 14), seed).further(known, allocation(30, 4096))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 0.5 * (1 << 20) < cache.nbytes <= 1 << 20
    assert 0.7 < held / cache.nbytes < 1.3


class StoppedRuns(GameRuns):
    """The time is up in the second part of a game."""

    def outputs(self, players: Players, coalitions: NDArray[np.bool_], until: float) -> NDArray[np.float64]:
        if sum(self.asked) > 100:
            raise DeadlinePassed
        return super().outputs(players, coalitions, until)


def test_a_part_of_a_whole_game_is_reproduced_by_its_size() -> None:
    """Target 0 and a budget of all coalitions, cut by the deadline: asked for as a budget, its size gives the same."""
    game = network_game(18, seed=2)
    options = {"estimator": Estimator.CONTROL_VARIATE, "solvers": LOCAL_SOLVERS}
    runs = StoppedRuns(game, each=1e-5)
    cut = played(game, 18, 0.0, Deadline(100), max_coalitions=1 << 18, runs=runs, **options)
    assert cut.reason is StopReason.DEADLINE
    assert 2048 < cut.coalitions < 1 << 18
    again = played(game, 18, 0.0, max_coalitions=cut.coalitions, **options)
    assert cut.solution is not None
    assert again.solution is not None
    np.testing.assert_allclose(cut.solution.values, again.solution.values, atol=1e-12)


def test_after_something_was_built_aside_others_get_the_time() -> None:
    """What took a second to build is followed by four in which nothing is, so that answers are not slowed down."""
    now, built = [100.0], list[str]()
    cache = DesignCache(clock=lambda: now[0], processor_clock=lambda: now[0])

    def build(name: str) -> None:
        cache.build_aside(lambda: now.append(now.pop() + 1.0) or built.append(name))  # type: ignore[func-returns-value]

    build("first")
    eventually(lambda: built == ["first"] and not cache._building.locked())
    for _ in range(3):
        build("too early")
        now[0] += 1.0
    assert built == ["first"]
    now[0] += 2.0
    build("second")
    eventually(lambda: built == ["first", "second"])


def test_designs_are_built_for_later_when_time_is_short() -> None:
    """A deadline that leaves no time to build: the base estimator answers, and later the control variate does."""
    game, cache = network_game(20, seed=2), DesignCache()
    options = {"estimator": Estimator.CONTROL_VARIATE, "solvers": LOCAL_SOLVERS, "designs": cache}
    with own_clock():
        first = played(game, 20, 0.0, Deadline(0.05), max_coalitions=1024, **options)
    size = first.coalitions
    assert first.estimator is Estimator.REGRESSION
    assert first.out_of_time
    assert "the regression was used" in first.detail
    eventually(lambda: GameDesigns(cache, 20, (128, 1024), 0).holds_process(allocation(20, size), 12.0))
    second = played(game, 20, 0.0, Deadline(60.0), max_coalitions=size, **options)
    assert second.estimator is Estimator.CONTROL_VARIATE
    assert not second.out_of_time
    assert not second.detail


def test_who_gives_way_to_others_builds_nothing() -> None:
    """Neither for its own answer nor for later ones, though there might just be time for it: others wait."""
    game, cache = network_game(20, seed=2), DesignCache()
    options = {"estimator": Estimator.CONTROL_VARIATE, "solvers": LOCAL_SOLVERS, "designs": cache}
    with own_clock():
        deadline = Deadline(60.0)
        deadline.give_way(deadline.now() + 0.15)
        found = played(game, 20, 0.0, deadline, max_coalitions=1024, **options)
    assert found.estimator is not Estimator.CONTROL_VARIATE
    assert not cache._building.locked()
    assert not GameDesigns(cache, 20, (128, 1024), 0).holds_process(allocation(20, 1024), 12.0)
