"""The games' closed forms agree with the definition, and the games are what their names say."""

from __future__ import annotations

import games
import numpy as np
import pytest
from brute_force import coalitions, shapley
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray


def by_definition(game: games.SumOfUnanimities | games.TableGame | games.NetworkGame) -> NDArray[np.float64]:
    m = game.players
    values = {s: game(np.array([[i in s for i in range(m)]]))[0] for s in coalitions(m)}
    return shapley(values, m)


@given(st.integers(1, 7), st.integers(0, 1000), st.integers(1, 3))
def test_a_sum_of_unanimities_has_the_attributions_it_says(m: int, seed: int, targets: int) -> None:
    """The closed form equals the sum over all coalitions."""
    game = games.sparse_game(m, seed, terms=12, targets=targets)
    assert game.shapley() == pytest.approx(by_definition(game), abs=1e-10)


@given(games.table_games(largest=6, targets=2))
def test_a_table_game_reads_its_own_table(game: games.TableGame) -> None:
    """Its attributions, taken from the table, equal those of the values it answers."""
    assert game.shapley() == pytest.approx(by_definition(game), abs=1e-12)


def test_an_additive_game_gives_its_weights() -> None:
    """Each player gets its weight, whatever the base."""
    game = games.additive_game([1.0, -2.0, 0.5], base=7.0)
    assert by_definition(game)[:, 0] == pytest.approx([1.0, -2.0, 0.5], abs=1e-12)
    assert game(np.zeros((1, 3), dtype=bool)) == pytest.approx(7.0)


def test_a_symmetric_game_gives_everyone_the_same() -> None:
    """(v(N) - v(∅)) / m each."""
    game = games.symmetric_game(5, seed=1)
    share = (game.table[-1] - game.table[0]) / 5
    assert game.shapley() == pytest.approx(np.tile(share, (5, 1)), abs=1e-12)


def test_twins_get_the_same_and_others_need_not() -> None:
    """Players 1 and 3 are interchangeable in every coalition."""
    values = games.with_twins(games.random_game(5, seed=2), 1, 3).shapley()
    assert values[1] == pytest.approx(values[3], abs=1e-12)
    assert abs(values[0] - values[1]) > 0.01


def test_dummies_get_what_they_bring() -> None:
    """A dummy's attribution is what it adds to any coalition."""
    values = games.with_dummies(games.random_game(5, seed=3), [0, 4], worth=0.25).shapley()
    assert values[[0, 4], 0] == pytest.approx([0.25, 0.25], abs=1e-12)
    assert (abs(values[[1, 2, 3], 0] - 0.25) > 0.01).all()


def test_a_network_game_is_a_score() -> None:
    """Values lie in (0, 1) and differ between coalitions."""
    game = games.network_game(30, seed=4)
    values = game(np.random.default_rng(0).random((200, 30)) < 0.5)
    assert values.shape == (200, 1)
    assert ((values > 0) & (values < 1)).all()
    assert np.ptp(values) > 0.3
