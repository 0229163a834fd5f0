"""Games of few interactions: what sparse fits add to the processes, put together from its parts, and its promises."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import pytest
from core_sampling import Game, exact, gain, ranked, ranked_and_base
from games import network_game, random_game, sparse_game
from intervals import at_least, coverage
from known_games import KnownGame, airport, known_games, rare_effect
from numpy.typing import NDArray
from recurrent_games import event_game
from sequela.timeshap import rank_solver
from sequela.timeshap.coalitions import allocation, strata, unknown_shares
from sequela.timeshap.control_variate import sparse_solver
from sequela.timeshap.control_variate.further_pairs import further_design
from sequela.timeshap.control_variate.process_design import known_signs
from sequela.timeshap.control_variate.sparse_fit import SparseFit, sparse_design
from sequela.timeshap.control_variate.sparse_solver import FOLDS, Bars, PartlySeen, sparse_solution
from sequela.timeshap.pair_order import PairSampler
from sequela.timeshap.rank_solver import (
    MAX_COALITIONS,
    MAX_SPARSE_PLAYERS,
    MAX_SPARSE_TARGETS,
    may_be_sparse,
)
from sequela.timeshap.regression import Solution, solve
from sequela.timeshap.sample_design import JobRunner, in_turn, sample_design
from sweeps import first_few

PLAYERS = 16
T = TypeVar("T")


def odd_parts(game: Game, pairs: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.asarray((game(pairs) - game(~pairs)) / 2)[:, 0]


class Sampled:
    """A game of 16 players, of whose `whole` coalitions fits learn from the first `known`."""

    def __init__(self, game: Game, known: int, whole: int) -> None:
        self.sampler, self.gain = PairSampler(PLAYERS, 1), gain(game, PLAYERS)
        self.known, self.counts = allocation(PLAYERS, known), allocation(PLAYERS, whole)
        self.design = further_design(self.sampler, self.known, self.counts)
        self.odd = odd_parts(game, self.design.members)

    def solution(
        self,
        bars: Bars | None = None,
        run_jobs: JobRunner = in_turn,
        check: Callable[[], None] = lambda: None,
    ) -> Solution | None:
        """The solution beside bars that are so wide that no fit is given up, or beside these."""
        pairs = PartlySeen(
            lambda: sample_design(self.sampler, strata(PLAYERS), self.counts),
            sparse_design(known_signs(self.sampler, self.known)),
            self.design,
        )
        small, wide = np.full((PLAYERS, 1), 1e-12), np.full((PLAYERS, 1), 1e12)
        return sparse_solution(
            pairs, self.odd, float(self.gain[0]), bars or Bars(small, wide), run_jobs, check
        )

    def base(self, values: NDArray[np.float64], gained: float) -> Solution:
        """What the base estimator says of a game with these values."""
        parts = np.split(values[:, None], np.cumsum(self.counts)[:-1])
        return solve(self.sampler, strata(PLAYERS), parts, np.array([gained]))


@pytest.mark.parametrize("whole", [900, 2500])
def test_values_and_bars_are_those_of_a_regression_on_what_unseen_fits_leave(whole: int) -> None:
    """Also with further pairs, which the mean of the fits predicts."""
    sampled = Sampled(network_game(PLAYERS, seed=3), 900, whole)
    known, signs = sampled.design.known, known_signs(sampled.sampler, sampled.known)
    values = np.append(sampled.gain / 2, sampled.odd[known])
    folds, games = np.arange(known.sum()) % FOLDS, []
    for fold in range(FOLDS):
        rows = np.flatnonzero(np.append(True, folds != fold))
        fit = SparseFit(sparse_design(signs), rows, values[rows])
        while fit.grow():
            pass
        games.append(fit.game)
    every = np.where(sampled.design.members, 1.0, -1.0)
    predicted = np.array([game.at(every) for game in games])
    mean, unseen = predicted.mean(axis=0), predicted.mean(axis=0)
    unseen[known] = predicted[:, known][folds, np.arange(known.sum())]
    explained = np.mean([game.attributions for game in games], axis=0)
    errors, shares = sampled.odd - unseen, unknown_shares(PLAYERS, sampled.counts)
    left = np.where(known, shares * errors + (1 - shares) * (sampled.odd - mean), errors)
    rest = float(sampled.gain[0] - explained.sum())

    found = sampled.solution()
    assert found is not None
    expected = explained[:, None] + sampled.base(left, rest).values
    np.testing.assert_allclose(found.values, expected, atol=1e-9)
    few = 1 + 2 * (errors**4).sum() / (errors**2).sum() ** 2
    np.testing.assert_allclose(found.errors, few * sampled.base(errors, rest).errors, rtol=1e-6)
    # Where the base estimator's bars for g are much wider, those for e are not all.
    peaks = []
    for fold in range(FOLDS):
        rows = np.flatnonzero(np.append(True, folds != fold))
        own = values[rows] - signs[rows] @ np.linalg.lstsq(signs[rows], values[rows], rcond=None)[0]
        peaks.append(np.abs(own).max() / np.sqrt(np.mean(own**2)))
    wide = np.full((PLAYERS, 1), 1e3)
    wider = sampled.solution(Bars(wide, 1e3 * wide))
    assert wider is not None
    np.testing.assert_allclose(wider.errors, wide * max(peaks) / np.sqrt(len(sampled.odd)), rtol=1e-6)


@pytest.mark.parametrize("budget", [MAX_COALITIONS, 2600])
@pytest.mark.parametrize("players", [20, 30])
def test_a_game_of_few_interactions_is_exact(players: int, budget: int) -> None:
    game = sparse_game(players, seed=3, terms=30)
    found = ranked(game, players, budget)
    np.testing.assert_allclose(found.values, game.shapley(), atol=1e-8)


def test_bars_of_an_exact_solution_are_what_one_more_pair_could_show() -> None:
    """The base estimator's bars, for the largest of what own effects leave, at one of all pairs."""
    game = sparse_game(20, seed=3, terms=30)
    found, base = ranked_and_base(game, 20, MAX_COALITIONS)
    share = found.errors / base.errors
    np.testing.assert_allclose(share[:, 0], share[0, 0], rtol=1e-6)
    pairs = MAX_COALITIONS // 2 - 1
    assert 2 < share[0, 0] * np.sqrt(pairs) < 10
    assert (found.errors > 0).all()


@pytest.mark.parametrize("seeds", [6, pytest.param(40, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("inside", "outside"), [(4, 4), (5, 5), (6, 6)])
def test_a_rule_that_few_pairs_show_is_within_the_bars(inside: int, outside: int, seeds: int) -> None:
    """Beside 25 conjunctions that the fits find, and as large as they are. Often no pair shows it, so e is 0 at all."""
    sparse, rare = sparse_game(24, seed=7, terms=25), rare_effect(24, inside, outside, seed=1)

    def game(coalitions: NDArray[np.bool_]) -> NDArray[np.float64]:
        return np.asarray(sparse(coalitions) + rare(coalitions))

    truth = sparse.shapley() + rare.attributions
    found = coverage([ranked(game, 24, MAX_COALITIONS, seed) for seed in range(seeds)], truth)
    assert found.pooled >= 0.93
    assert found.worst >= at_least(seeds, 0.92)
    assert found.top >= 0.90


def test_a_solution_with_hardly_smaller_bars_is_not_used() -> None:
    """Of several solutions, the one whose bars are too small would be chosen more often."""
    sampled = Sampled(network_game(PLAYERS, seed=3), 900, 900)
    free = sampled.solution()
    assert free is not None
    base, share = np.full((PLAYERS, 1), 1e-12), 1 / sparse_solver.CLEARLY
    just, hardly = (Bars(base, factor * share * free.errors) for factor in (1.01, 0.99))
    assert sampled.solution(just) is not None
    assert sampled.solution(hardly) is None


def test_an_airport_has_smaller_errors_and_bars() -> None:
    """It is a sum of disjunctions."""
    game = airport(np.random.default_rng(2).pareto(1.0, size=24))
    sparse = [ranked(game, 24, 3000, seed) for seed in range(3)]
    base = [ranked_and_base(game, 24, 3000, seed)[1] for seed in range(3)]
    off, base_off = (
        np.sqrt(np.mean([(each.values - game.attributions) ** 2 for each in found]))
        for found in (sparse, base)
    )
    assert off < 0.2 * base_off
    assert all(mine.errors.sum() < 0.3 * other.errors.sum() for mine, other in zip(sparse, base, strict=True))


def test_attributions_add_up() -> None:
    """Also where the fits leave much."""
    game = sparse_game(24, seed=5, terms=90)
    found = ranked(game, 24, MAX_COALITIONS)
    np.testing.assert_allclose(found.values.sum(axis=0), gain(game, 24), atol=1e-10)
    sampled = Sampled(network_game(PLAYERS, seed=3), 900, 2500)
    solution = sampled.solution()
    assert solution is not None
    np.testing.assert_allclose(solution.values.sum(axis=0), sampled.gain, atol=1e-12)


def test_a_smooth_game_is_given_up_after_a_few_terms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its events are described better by a process. Only the first fold is tried."""
    sampled = Sampled(event_game(PLAYERS, seed=1), 900, 900)
    asked = []
    assert (
        sampled.solution(
            Bars(np.ones((PLAYERS, 1)), np.full((PLAYERS, 1), 0.3)), check=lambda: asked.append(1)
        )
        is None
    )
    assert len(asked) == sparse_solver.FEWEST_TERMS


def test_a_game_of_rough_values_is_left_to_the_others() -> None:
    """Where every coalition's worth is drawn for itself, nothing changes."""
    game = random_game(14, seed=5)
    truth = game.shapley()
    ours, base = zip(*(ranked_and_base(game, 14, 3000, seed) for seed in range(4)), strict=True)
    off, base_off = (
        np.sqrt(np.mean([(each.values - truth) ** 2 for each in found])) for found in (ours, base)
    )
    assert off < 1.1 * base_off


def test_each_target_is_fitted_for_itself() -> None:
    """A copy in other units, a constant, and a target that is rough stand beside one that is exact."""
    game, rough = sparse_game(20, seed=3, terms=30), network_game(20, seed=3)

    def four(z: NDArray[np.bool_]) -> NDArray[np.float64]:
        return np.hstack([game(z), np.full((len(z), 1), 7.0), 1e-9 * game(z), rough(z)])

    found, alone = ranked(four, 20, MAX_COALITIONS), ranked(rough, 20, MAX_COALITIONS)
    np.testing.assert_allclose(found.values[:, [0]], game.shapley(), atol=1e-8)
    np.testing.assert_allclose(1e9 * found.values[:, [2]], game.shapley(), atol=1e-8)
    assert not found.values[:, 1].any()
    assert found.errors[:, 3].sum() > 0
    # The targets decide together in which order the players stand.
    np.testing.assert_allclose(found.values[:, 3], alone.values[:, 0], atol=6 * alone.errors.max())


def test_games_that_may_be_sparse() -> None:
    """Those that have enough pairs, few enough players and targets, and are not known completely."""
    full = allocation(20, MAX_COALITIONS)
    assert may_be_sparse(20, full, MAX_SPARSE_TARGETS)
    assert may_be_sparse(20, allocation(20, 9000), 1)
    assert may_be_sparse(MAX_SPARSE_PLAYERS, allocation(MAX_SPARSE_PLAYERS, MAX_COALITIONS), 1)
    assert not may_be_sparse(20, full, MAX_SPARSE_TARGETS + 1)
    assert not may_be_sparse(20, allocation(20, MAX_COALITIONS - 2), 1)
    assert not may_be_sparse(MAX_SPARSE_PLAYERS + 1, allocation(MAX_SPARSE_PLAYERS + 1, MAX_COALITIONS), 1)
    assert not may_be_sparse(12, allocation(12, 1 << 12), 1)
    assert not may_be_sparse(64, allocation(64, 2_000_000), 4)  # it would take too much memory


def test_a_game_that_a_process_describes_well_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """An airport, whose error bars are a quarter of the base estimator's, is tried in larger samples only."""
    tried: list[int] = []

    def counted(*arguments: Any) -> None:
        tried.append(1)

    monkeypatch.setattr(rank_solver, "sparse_solution", counted)
    game = airport(np.random.default_rng(0).pareto(1.5, size=30))
    ranked(game, 30, MAX_COALITIONS)
    assert not tried
    ranked(game, 30, 2600)
    assert tried == [1]
    ranked(event_game(20, seed=1), 20, 2600)
    ranked(sparse_game(20, seed=3, terms=30), 20, MAX_COALITIONS)
    assert tried == [1, 1]


def test_many_targets_get_what_the_processes_give() -> None:
    game = sparse_game(20, seed=3, terms=30, targets=MAX_SPARSE_TARGETS + 1)
    found = ranked(game, 20, MAX_COALITIONS)
    assert (found.errors > 1e-6).any()


def test_workers_change_no_bit() -> None:
    sampled = Sampled(sparse_game(PLAYERS, seed=3), 900, 2500)

    def in_threads(jobs: Iterable[Callable[[], T]]) -> Iterable[T]:
        with ThreadPoolExecutor(4) as pool:
            yield from [each.result() for each in [pool.submit(job) for job in jobs]]

    one, other = sampled.solution(), sampled.solution(run_jobs=in_threads)
    assert one is not None
    assert other is not None
    np.testing.assert_array_equal(one.values, other.values)
    np.testing.assert_array_equal(one.errors, other.errors)


class Stopped(Exception):
    """The work should stop."""


def test_a_fit_can_be_stopped_before_each_term() -> None:
    sampled = Sampled(sparse_game(PLAYERS, seed=3, terms=20), 900, 900)
    asked: list[int] = []

    def stopping(at: int) -> Callable[[], None]:
        asked.clear()

        def check() -> None:
            asked.append(1)
            if len(asked) == at:
                raise Stopped

        return check

    assert sampled.solution(check=stopping(0)) is not None
    terms = len(asked)
    assert terms > 10
    for number in range(1, terms + 1):
        with pytest.raises(Stopped):
            sampled.solution(check=stopping(number))
        assert len(asked) == number


@pytest.mark.parametrize("seeds", [4, pytest.param(40, marks=pytest.mark.slow)])
def test_bars_hold_where_much_of_a_game_is_known(seeds: int) -> None:
    """14 players, 6,000 of 16,384 coalitions. Strata of which all pairs are known add no error."""
    game = airport(np.random.default_rng(4).pareto(1.0, size=14))
    truth = exact(game, 14).values
    found = coverage([ranked(game, 14, 6000, seed) for seed in range(seeds)], truth)
    assert found.pooled >= 0.9
    assert found.worst >= at_least(seeds, 0.92)


GAMES = [*known_games(30, seed=11), *(rare_effect(30, a, b, seed=1) for a, b in ((3, 4), (4, 4), (8, 0)))]


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("budget", [MAX_COALITIONS, 5792])
@pytest.mark.parametrize("game", first_few(GAMES, 3), ids=lambda game: game.name)
def test_every_player_is_covered(game: KnownGame, budget: int) -> None:
    """30 players, 40 seeds: every player in 92 %, up to chance, or about as often as by the base estimator."""
    ours, base = zip(*(ranked_and_base(game, 30, budget, seed) for seed in range(40)), strict=True)
    found, before = coverage(ours, game.attributions), coverage(base, game.attributions)
    assert found.worst >= min(at_least(40, 0.92), before.worst - 0.05)
    assert found.top >= min(0.90, before.top - 0.02)
    assert found.pooled >= min(0.93, before.pooled - 0.01)
