"""The design of the samples: budgets kept, strata without repeats, nested stages."""

from __future__ import annotations

import itertools
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sequela.timeshap.coalitions import (
    EXACT_AT_ONCE,
    all_coalitions,
    allocation,
    minimum_budget,
    stages,
    strata,
)
from sequela.timeshap.pair_order import (
    MAX_LOOKUP_PLAYERS,
    MAX_PERMUTED,
    PairSampler,
    pairs_of,
    unrank,
    unrank_by_number,
)

players_and_budget = st.integers(2, 90).flatmap(
    lambda m: st.tuples(st.just(m), st.integers(minimum_budget(m), 40_000))
)


@given(players_and_budget)
def test_the_budget_is_used_and_no_stratum_overfilled(case: tuple[int, int]) -> None:
    """Σ k_s = ⌊(n - 2)/2⌋, as far as there are pairs; no stratum gets more than it has, the first gets all
    it can.
    """
    players, budget = case
    counts, layers = allocation(players, budget), strata(players)
    available = (all_coalitions(players) - 2) // 2
    assert sum(counts) == min((budget - 2) // 2, available)
    assert all(0 <= count <= layer.total for count, layer in zip(counts, layers, strict=True))
    assert counts[0] == min(layers[0].total, (budget - 2) // 2)


@given(st.integers(2, 60))
def test_strata_count_every_pair_once(players: int) -> None:
    """C(m, s) pairs of each size, half of them at m/2, and all coalitions but two in total."""
    layers = strata(players)
    assert sum(layer.total for layer in layers) * 2 + 2 == all_coalitions(players)
    assert layers[0].total == (1 if players == 2 else players)


@pytest.mark.parametrize("players", [2, 3, 4, 7, 8, 11])
def test_whole_strata_hold_every_coalition_once(players: int) -> None:
    """All strata together with their complements are all coalitions but the empty and the full one."""
    sampler = PairSampler(players, seed=3)
    rows = np.concatenate([sampler.pairs(i, 0, layer.total) for i, layer in enumerate(strata(players))])
    found = {row.tobytes() for row in np.concatenate([rows, ~rows])}
    wanted = {
        np.array(z, dtype=bool).tobytes()
        for z in itertools.product([0, 1], repeat=players)
        if 0 < sum(z) < players
    }
    assert found == wanted
    assert len(rows) * 2 == len(wanted)


@pytest.mark.parametrize("players", range(2, 13))
def test_a_small_game_played_whole_needs_no_seed(players: int) -> None:
    """Every coalition is there once whatever the seed, and in the same order."""
    budget = all_coalitions(players)
    assert budget <= EXACT_AT_ONCE
    whole, sampled = pairs_of(players, stages(players, budget), seed=1), PairSampler(players, seed=1)
    again = pairs_of(players, stages(players, budget + 1), seed=2)
    for index, layer in enumerate(strata(players)):
        pairs = whole.pairs(index, 0, layer.total)
        assert np.array_equal(pairs, again.pairs(index, 0, layer.total))
        assert np.array_equal(pairs[2:5], whole.pairs(index, 2, 5))
        assert set(map(bytes, pairs)) == set(map(bytes, sampled.pairs(index, 0, layer.total)))


def test_a_sample_of_a_small_game_depends_on_the_seed() -> None:
    """Below 2^m coalitions the sampler draws, and where a whole game would be the last of several stages."""
    for sizes in (stages(12, 300), stages(12, 1 << 12, at_once=128)):
        first, other = (pairs_of(12, sizes, seed).pairs(5, 0, 40) for seed in (1, 2))
        assert not np.array_equal(first, other)


@pytest.mark.parametrize("players", [2, 7, 8, 9, 16, 17, 20])
def test_looking_subsets_up_is_unranking_them(players: int) -> None:
    """The table and the combinatorial number system name the same subset by the same rank."""
    assert players <= MAX_LOOKUP_PLAYERS
    for layer in strata(players):
        ranks = np.random.default_rng(players).integers(0, layer.total, 50)
        rows = unrank_by_number(players, layer, ranks)
        assert np.array_equal(unrank(players, layer, ranks), np.packbits(rows, axis=1))


@pytest.mark.parametrize("players", [6, 25])
def test_ranks_are_in_lexicographic_order(players: int) -> None:
    """Rank r is the r-th of the combinations as itertools lists them."""
    layer = strata(players)[1]
    rows = np.unpackbits(unrank(players, layer, np.arange(layer.total)), axis=1, count=players)
    assert [tuple(np.flatnonzero(row)) for row in rows] == list(itertools.combinations(range(players), 2))


@given(st.sampled_from([20, 24, 33, 70]), st.lists(st.integers(1, 400), min_size=1, max_size=6))
def test_portions_do_not_change_the_pairs(players: int, portions: list[int]) -> None:
    """However many pairs are asked for at a time, they are the same."""
    index = len(strata(players)) - 1
    ends = np.cumsum([0, *portions]).tolist()
    sampler = PairSampler(players, 9)
    parts = [sampler.pairs(index, start, stop) for start, stop in itertools.pairwise(ends)]
    assert np.array_equal(np.concatenate(parts), PairSampler(players, 9).pairs(index, 0, ends[-1]))


@pytest.mark.parametrize("players", [9, 30, 31, 200])
def test_pairs_have_their_size_no_repeats_and_one_order(players: int) -> None:
    """A stratum's pairs have its size, none comes twice, and taking more never changes the first ones."""
    for index in (0, 1, len(strata(players)) - 1):
        layer = strata(players)[index]
        count = min(layer.total, 700)
        whole = PairSampler(players, 5).pairs(index, 0, count)
        assert (whole.sum(axis=1) == layer.size).all()
        assert len({row.tobytes() for row in whole}) == count
        piecewise = PairSampler(players, 5)
        first = piecewise.pairs(index, 0, count // 3)
        rest = piecewise.pairs(index, count // 3, count)
        assert np.array_equal(np.concatenate([first, rest]), whole)


@pytest.mark.parametrize("players", [12, 44])
def test_at_half_size_each_pair_is_named_by_the_side_with_the_last_player(players: int) -> None:
    """Otherwise a pair could be drawn twice, once by each side."""
    layers = strata(players)
    pairs = PairSampler(players, 1).pairs(len(layers) - 1, 0, 300)
    assert pairs[:, -1].all()
    assert (layers[-1].total > MAX_PERMUTED) == (players == 44)


@given(st.integers(1, 40), st.integers(1, 50_000))
def test_stages_grow_to_the_budget(players: int, budget: int) -> None:
    """Stages rise to the budget or to all coalitions; below the minimum there are none."""
    sizes = stages(players, budget)
    last = min(budget, all_coalitions(players))
    if last < minimum_budget(players):
        assert sizes == ()
        return
    assert sizes[-1] == last
    assert list(sizes) == sorted(set(sizes))
    assert sizes[0] >= minimum_budget(players)


@given(players_and_budget)
def test_stages_are_nested(case: tuple[int, int]) -> None:
    """No stratum ever gets less in a later stage, so nothing evaluated is thrown away."""
    players, budget = case
    counts = [allocation(players, size) for size in stages(players, budget)]
    for smaller, larger in itertools.pairwise(counts):
        assert all(a <= b for a, b in zip(smaller, larger, strict=True))


def test_draws_are_even() -> None:
    """In a large stratum every player is in as often as another: 20 000 pairs of 15 among 30, within six
    deviations.
    """
    rows = PairSampler(31, 2).pairs(14, 0, 20_000)
    share = 15 / 31
    deviation = np.sqrt(share * (1 - share) / len(rows))
    assert (np.abs(rows.mean(axis=0) - share) < 6 * deviation).all()
    assert comb(31, 15) > MAX_PERMUTED


def test_a_stratum_that_is_drawn_can_be_taken_whole() -> None:
    """C(30, 4) pairs are more than are put in order: drawing them to the last one gives each once."""
    players, index = 30, 3
    layer = strata(players)[index]
    assert layer.total == comb(30, 4) > MAX_PERMUTED
    pairs = PairSampler(players, 3).pairs(index, 0, layer.total)
    assert len(np.unique(np.packbits(pairs, axis=1), axis=0)) == layer.total


def test_a_stratum_too_large_to_order_is_taken_whole() -> None:
    """Asked for in steps, as stages do, to its last pair: every subset of five of 22 players once."""
    assert comb(22, 5) > MAX_PERMUTED
    sampler = PairSampler(22, seed=3)
    sampler.pairs(4, 0, 20_000)
    rows = sampler.pairs(4, 0, comb(22, 5))
    assert (rows.sum(axis=1) == 5).all()
    assert len(np.unique(np.packbits(rows, axis=1), axis=0)) == comb(22, 5)
