"""Sparse fits: which terms they find, when they end, and what they say of a game."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from core_sampling import Game, gain
from games import additive_game, network_game, sparse_game
from numpy.typing import NDArray
from sequela.timeshap.coalitions import allocation
from sequela.timeshap.control_variate import sparse_fit
from sequela.timeshap.control_variate.process_design import known_signs
from sequela.timeshap.control_variate.sparse_fit import SparseDesign, SparseFit, sparse_design
from sequela.timeshap.pair_order import PairSampler

PLAYERS = 20


def signs_of(players: int = PLAYERS, budget: int = 1200, seed: int = 1) -> NDArray[np.float64]:
    return known_signs(PairSampler(players, seed), allocation(players, budget))


def odd_values(game: Game, signs: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((game(signs > 0) - game(signs < 0))[:, 0] / 2)


def completed(odd: NDArray[np.float64], design: SparseDesign) -> SparseFit:
    fit = SparseFit(design, np.arange(len(odd)), odd)
    while fit.grow():
        pass
    return fit


def conjunction(players: int, inside: list[int], outside: list[int]) -> Game:
    def values(coalitions: NDArray[np.bool_]) -> NDArray[np.float64]:
        holds = coalitions[:, inside].all(axis=1) & ~coalitions[:, outside].any(axis=1)
        return holds[:, None].astype(np.float64)

    return values


@pytest.mark.parametrize(
    ("inside", "outside"),
    [([2, 5, 7], []), ([1, 4], [9]), ([0, 3, 8, 11], []), ([2, 6], [4, 13]), ([*range(9)], [])],
)
def test_a_single_conjunction_is_found_as_one_term(inside: list[int], outside: list[int]) -> None:
    """Of three and more players, that must be in or out."""
    signs = signs_of()
    fit = completed(odd_values(conjunction(PLAYERS, inside, outside), signs), sparse_design(signs))
    expected = np.zeros(PLAYERS)
    expected[inside], expected[outside] = 1.0, -1.0
    assert fit.terms == 1
    assert fit.left < 1e-9
    found = fit.game.literals[PLAYERS]
    if len(inside) + len(outside) > 3:
        np.testing.assert_array_equal(found * found[inside[0]], expected)
    np.testing.assert_array_equal(found != 0, expected != 0)  # of three players, any signs will do


def test_a_game_of_few_interactions_is_fitted_exactly() -> None:
    """So its attributions and its values at coalitions that the fit has not seen are right."""
    game = sparse_game(PLAYERS, seed=3, terms=25)
    signs = signs_of()
    fit = completed(odd_values(game, signs), sparse_design(signs))
    np.testing.assert_allclose(fit.game.attributions, game.shapley()[:, 0], atol=1e-9)
    unseen = np.where(np.random.default_rng(0).random((500, PLAYERS)) < 0.5, 1.0, -1.0)
    np.testing.assert_allclose(fit.game.at(unseen), odd_values(game, unseen), atol=1e-9)


@pytest.mark.parametrize("scale", [1e-200, 1e-9, 1e9, 1e150])
def test_the_unit_of_the_values_does_not_matter(scale: float) -> None:
    game = sparse_game(PLAYERS, seed=3, terms=25)
    signs = signs_of()
    odd, design = odd_values(game, signs), sparse_design(signs)
    one, other = completed(odd, design), completed(scale * odd, design)
    assert one.terms == other.terms
    np.testing.assert_allclose(other.game.attributions / scale, game.shapley()[:, 0], atol=1e-9)


def test_nothing_is_found_in_noise() -> None:
    """Beside own effects, values that are drawn for themselves have nothing to explain, up to chance."""
    signs = signs_of()
    design, own = sparse_design(signs), signs @ np.arange(PLAYERS)
    noise = np.random.default_rng(0).normal(size=(12, len(signs)))
    terms = [completed(own + each, design).terms for each in noise]
    assert sum(count > 0 for count in terms) <= 4


@pytest.mark.parametrize("weights", [[0.0] * PLAYERS, [*range(PLAYERS)], [1e-310] * PLAYERS])
def test_a_game_without_interactions_has_no_terms(weights: list[float]) -> None:
    game = additive_game(weights, base=2.0)
    signs = signs_of()
    fit = completed(odd_values(game, signs), sparse_design(signs))
    assert fit.terms == 0
    np.testing.assert_allclose(fit.game.attributions, game.shapley()[:, 0], atol=1e-9)


def test_a_conjunction_that_hardly_occurs_is_no_term() -> None:
    """A value at one single pair could be explained by hundreds of conjunctions."""
    signs = signs_of()
    odd = np.zeros(len(signs))
    odd[-1] = 1.0
    fit = completed(odd, sparse_design(signs))
    for literals in fit.game.literals[PLAYERS:]:
        holds = np.abs(signs @ literals) == np.abs(literals).sum()
        assert holds.sum() >= sparse_fit.MIN_SUPPORT


def test_terms_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sparse_fit, "MAX_TERMS", 5)
    signs = signs_of()
    assert completed(odd_values(sparse_game(PLAYERS, seed=3), signs), sparse_design(signs)).terms == 5


def test_a_small_sample_is_not_fitted_by_as_many_terms_as_pairs() -> None:
    """At least half of the pairs stay free."""
    signs = signs_of(budget=128)
    fit = completed(odd_values(network_game(PLAYERS, seed=3), signs), sparse_design(signs))
    assert 2 * (PLAYERS + fit.terms) <= len(signs) + 2


def test_each_term_explains_more_of_what_is_left() -> None:
    game = network_game(PLAYERS, seed=3)
    signs = signs_of()
    fit = SparseFit(sparse_design(signs), np.arange(len(signs)), odd_values(game, signs))
    left = [fit.left]
    while fit.grow():
        left.append(fit.left)
    assert len(left) >= 3
    assert left[0] == 1.0
    assert all(later < before for before, later in pairwise(left))


def test_what_is_left_is_that_of_a_regression_on_the_terms() -> None:
    """At the coalitions that are used, and at no others."""
    signs = signs_of()
    odd, rows = odd_values(network_game(PLAYERS, seed=3), signs), np.arange(0, len(signs), 2)
    fit = SparseFit(sparse_design(signs), rows, odd[rows])
    while fit.grow():
        pass
    assert fit.terms >= 3
    own, columns = signs[rows], sparse_fit.odd_parts(signs[rows], fit.game.literals)
    residual, first = (
        odd[rows] - each @ np.linalg.lstsq(each, odd[rows], rcond=None)[0] for each in (columns, own)
    )
    assert fit.left == pytest.approx(np.linalg.norm(residual) / np.linalg.norm(first), rel=1e-9)
    np.testing.assert_allclose(fit.game.at(signs[rows]), odd[rows] - residual, atol=1e-9)


def test_the_scales_of_a_design_are_those_of_products_without_own_effects() -> None:
    signs = signs_of(players=12, budget=600)
    design = sparse_design(signs)
    own = np.linalg.qr(signs)[0]
    pairs = list(combinations(range(12), 2))
    for i, j, k in [(0, 1, 2), (3, 7, 11), (2, 5, 6)]:
        product = signs[:, i] * signs[:, j] * signs[:, k]
        left = np.linalg.norm(product - own @ (own.T @ product))
        assert design.scales[i, pairs.index((j, k))] == pytest.approx(1 / left, rel=1e-4)
    assert np.count_nonzero(design.scales) == 12 * 11 * 10 // 6
    assert design.nbytes == design.signs.nbytes + design.products.nbytes + design.scales.nbytes


def test_many_players_are_fitted_from_the_strongest() -> None:
    """Conjunctions begin with three of the first players, and grow by any."""
    players = sparse_fit.NEAR + 30
    game = conjunction(players, [0, 5, 9, players - 1], [])
    signs = signs_of(players, budget=2048)
    design = sparse_design(signs)
    fit = completed(odd_values(game, signs), design)
    assert design.scales.shape == (sparse_fit.NEAR, sparse_fit.NEAR * (sparse_fit.NEAR - 1) // 2)
    assert np.flatnonzero(fit.game.literals[players]).tolist() == [0, 5, 9, players - 1]
    assert gain(game, players)[0] == 1.0
