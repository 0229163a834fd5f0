"""The games that estimators are compared on have the Shapley values that they claim to have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.cases import demo, gru
from benchmarks.estimators import closed_form, truths
from benchmarks.estimators.catalogue import COMPARED, GAMES, RandomEvents, known_game
from benchmarks.estimators.known_game import KnownGame
from benchmarks.estimators.masked_model import MaskedModel, levels
from benchmarks.estimators.pair_values import all_coalitions, enumerated, sampled
from benchmarks.estimators.surrogate import Surrogate
from benchmarks.peers.scorer import Scorer

CLOSED = [
    closed_form.additive,
    closed_form.sparse,
    closed_form.heavy_tailed,
    closed_form.votes,
    closed_form.airport,
    closed_form.unanimity,
    closed_form.rules,
    closed_form.redundant,
]


def brute_force(game: KnownGame) -> np.ndarray:
    """Mean gains over orders, from all coalitions: player by player, size by size."""
    values = game(all_coalitions(game.players))
    inside = all_coalitions(game.players)
    found = []
    for player in range(game.players):
        without = np.flatnonzero(~inside[:, player])
        gains = values[without + (1 << player)] - values[without]
        sizes = inside[without].sum(axis=1)
        found.append(np.mean([gains[sizes == size].mean() for size in range(game.players)]))
    return np.array(found)


@pytest.mark.parametrize("make", CLOSED, ids=lambda make: make.__name__)
def test_closed_forms_agree_with_all_coalitions(make: closed_form.Make) -> None:
    """Eleven players, two seeds; and the largest attribution is the same in all games."""
    for seed in (0, 1):
        game = make(11, seed)
        np.testing.assert_allclose(game.truth, brute_force(game), atol=1e-12)
        assert np.abs(game.truth).max() == pytest.approx(closed_form.LARGEST)


def test_there_are_seventeen_games_of_14_to_46_players(tmp_path: Path) -> None:
    """By name; the closed ones are the same every time."""
    assert len(COMPARED) == 17
    closed = [name for name, make in COMPARED.items() if type(make).__name__ == "ClosedForm"]
    assert len(closed) == 8
    for name in closed:
        game = known_game(name, tmp_path)
        assert 14 <= game.players <= 46
        z = np.random.default_rng(0).random((5, game.players)) < 0.5
        np.testing.assert_array_equal(game(z), GAMES[name](tmp_path)(z))


def test_a_surrogate_knows_its_own_attributions() -> None:
    """Against all of its coalitions; it is an odd function."""
    rng = np.random.default_rng(0)
    signs = np.where(rng.random((6, 9)) < 0.5, 1.0, -1.0)
    surrogate = Surrogate(rng.uniform(0.05, 0.8, size=9), signs, rng.normal(size=6))
    np.testing.assert_allclose(surrogate.attributions(), enumerated(surrogate, 9), atol=1e-12)
    z = all_coalitions(9)
    np.testing.assert_allclose(surrogate(z), -surrogate(~z), atol=1e-12)


def test_sampled_truths_agree_with_all_coalitions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A small game, as if it were a large one: within five standard errors. The second time it is read."""
    game = closed_form.rules(12, seed=3)
    monkeypatch.setattr(truths, "MAX_TABLE_PLAYERS", 10)
    monkeypatch.setattr(truths, "PART_COALITIONS", 512)
    monkeypatch.setattr("benchmarks.estimators.surrogate.KNOWN_PAIRS", 128)
    found = truths.with_truth("rules", game.worth, 12, tmp_path)
    assert (np.abs(found.truth - game.truth) <= 5 * found.truth_errors + 1e-9).all()
    monkeypatch.setattr(truths, "fit", None)
    again = truths.with_truth("rules", game.worth, 12, tmp_path)
    np.testing.assert_array_equal(again.truth, found.truth)


def test_a_table_answers_like_the_model(tmp_path: Path) -> None:
    """Ten events of a random GRU; the table comes back from the file."""
    games = [RandomEvents(10, seed=0)(tmp_path) for _ in range(2)]
    for game in games:
        assert isinstance(game.worth, truths.TableGame)
        np.testing.assert_allclose(game.truth, brute_force(game), atol=1e-12)
        assert not game.truth_errors.any()
    np.testing.assert_array_equal(games[0].truth, games[1].truth)


@pytest.mark.parametrize("name", ["gru", "demo"])
def test_states_give_the_scores_of_whole_sequences(name: str, tmp_path: Path) -> None:
    """The features of the reference GRU and of the demo: as the model scores the masked sequence from its start."""
    case = gru(tmp_path, 30) if name == "gru" else demo("takeover-20", ())
    made = levels(case, tmp_path)
    worth, players = made.features()
    assert players == case.columns.shape[1] + 1
    assert isinstance(worth, MaskedModel)
    assert worth.pasts is not None
    z = np.random.default_rng(0).random((6, players)) < 0.5
    masked = np.where(z[:, np.newaxis, 1:], case.columns, case.background_columns)
    masked[:, : made.pruned] = np.where(
        z[:, :1, np.newaxis], case.columns[: made.pruned], case.background_columns
    )
    np.testing.assert_allclose(worth(z), Scorer(str(case.model))(masked)[:, 0], atol=1e-6)


def test_cells_are_those_of_the_strongest(tmp_path: Path) -> None:
    """Three by three cells, what is left of three events and features, the pruned block and the rest."""
    made = levels(gru(tmp_path, 30), tmp_path)
    assert 19 <= made.pruned <= 21
    _, players = made.cells()
    assert players == 9 + 3 + 3 + 2


def test_enough_coalitions_give_the_truth() -> None:
    """All of them, by the estimator that the studies use."""
    game = closed_form.votes(10, seed=0)
    np.testing.assert_allclose(sampled(game, 10, 1 << 10, seed=0).values[:, 0], game.truth, atol=1e-12)
