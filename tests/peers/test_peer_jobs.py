"""The peers play the games we hand them: cells, order and budgets mean the same on both sides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.cases import gru
from benchmarks.games import Game, enumerated, write_gru
from benchmarks.levels import timeshaps
from benchmarks.peers.jobs import AS_GIVEN, Calls, PeerFailed, run_game, run_timeshap
from benchmarks.peers.scorer import Scorer
from benchmarks.served import served
from benchmarks.stateful import with_states

pytestmark = [pytest.mark.slow, pytest.mark.peers, pytest.mark.timeout(900)]

LENGTH, WIDTH = 6, 4


@pytest.fixture
def game(tmp_path: Path) -> Game:
    rng = np.random.default_rng(0)
    write_gru(tmp_path / "gru.onnx", WIDTH, rng)
    events = np.arange(LENGTH)[::-1, np.newaxis]  # player 0 is t = 0
    return Game(
        name="events",
        model=tmp_path / "gru.onnx",
        sequence=rng.normal(size=(LENGTH, WIDTH)),
        background=0.3 * rng.normal(size=(1, WIDTH)),
        players=np.broadcast_to(events, (LENGTH, WIDTH)).copy(),
    )


def test_shap_with_all_coalitions_is_exact(game: Game) -> None:
    """With a budget of 2^m, whatever the seed, KernelExplainer gives our game's Shapley values."""
    result = run_game(
        "shap",
        game.model,
        game.sequence,
        game.background,
        game.players,
        budgets=[1 << LENGTH],
        seeds=[0, 1],
    )
    truth = enumerated(game, Scorer(str(game.model)))
    assert result.attributions.shape == (1, 2, LENGTH)
    np.testing.assert_allclose(result.attributions[0], [truth, truth], atol=1e-6)
    assert result.rows >= 2 * ((1 << LENGTH) - 2)


def test_captum_comes_near(game: Game) -> None:
    """KernelShap draws with replacement: with many draws it comes close to our game's Shapley values."""
    result = run_game(
        "captum", game.model, game.sequence, game.background, game.players, budgets=[8192], seeds=[0]
    )
    truth = enumerated(game, Scorer(str(game.model)))
    np.testing.assert_allclose(result.attributions[0, 0], truth, atol=0.05 * np.abs(truth).max())


def test_timeshap_without_pruning_is_exact(game: Game) -> None:
    """With nothing pruned and all coalitions, timeshap gives the events' values, most recent first."""
    result = run_timeshap(
        game.model, game.sequence, game.background, tolerance=0.0, nsamples=1 << LENGTH, seeds=[0, 1]
    )
    truth = enumerated(game, Scorer(str(game.model)))
    assert result.pruned_events == 0
    np.testing.assert_allclose(result.events, [truth, truth], atol=1e-5)
    assert np.isnan(result.events_pruned).all()
    assert result.cells.shape == (2, 0)


def test_timeshap_from_states_is_the_same(tmp_path: Path) -> None:
    """Given the hidden states, timeshap finds the same cut and, where it enumerates, the same events; it says which
    cells it chose, and all levels account for the score.
    """
    case = gru(tmp_path, 30)
    models = (case.model, with_states(case.model, tmp_path / "states.onnx"))
    plain, states = (
        run_timeshap(
            model,
            case.columns,
            case.background_columns,
            tolerance=0.025,
            nsamples=1 << 12,
            seeds=[0],
            levels=("events", "features", "cells"),
            calls=AS_GIVEN,
        )
        for model in models
    )
    assert 9 <= case.length - plain.pruned_events <= 11
    assert states.pruned_events == plain.pruned_events
    np.testing.assert_allclose(states.events, plain.events, atol=1e-5)
    background = np.broadcast_to(case.background_columns, case.columns.shape)
    base, full = Scorer(str(case.model))(np.stack([background, case.columns]))[:, 0]
    for level in timeshaps(plain, run=0).values():
        assert sum(level.values()) == pytest.approx(full - base, abs=1e-5)
    assert len(timeshaps(plain, run=0)["cell"]) == 3 * 3 + 3 + 3 + 2


def test_timeshap_by_an_endpoint_is_the_same(tmp_path: Path) -> None:
    """The same model behind an endpoint: the same cut, attributions and rows, in calls of the rows it was told."""
    case = gru(tmp_path, 30)
    with served(case.model, 0.0) as uri:
        here, there = (
            run_timeshap(
                model,
                case.columns,
                case.background_columns,
                tolerance=0.025,
                nsamples=1 << 11,
                seeds=[0],
                calls=Calls(256, 2),
            )
            for model in (case.model, uri)
        )
    assert there.pruned_events == here.pruned_events
    np.testing.assert_allclose(there.events, here.events, atol=1e-5)
    np.testing.assert_allclose(there.features, here.features, atol=1e-5)
    assert (there.rows, there.calls, there.rows_pruning) == (here.rows, here.calls, here.rows_pruning)


def test_a_peer_that_fails_says_why(tmp_path: Path) -> None:
    """A model that is not there ends in PeerFailed with the peer's last lines."""
    with pytest.raises(PeerFailed, match=r"absent\.onnx"):
        run_game(
            "shap",
            tmp_path / "absent.onnx",
            np.zeros((2, 2)),
            np.zeros((1, 2)),
            np.array([[0, 1], [0, 1]]),
            budgets=[4],
            seeds=[0],
        )
