"""The peers play the games we hand them: cells, order and budgets mean the same on both sides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.games import Game, enumerated, write_gru
from benchmarks.peers.jobs import PeerFailed, run_shap, run_timeshap
from benchmarks.peers.scoring import Scorer

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
    result = run_shap(
        game.model, game.sequence, game.background, game.players, budgets=[1 << LENGTH], seeds=[0, 1]
    )
    truth = enumerated(game, Scorer(str(game.model)))
    assert result.attributions.shape == (1, 2, LENGTH)
    np.testing.assert_allclose(result.attributions[0], [truth, truth], atol=1e-6)


def test_timeshap_without_pruning_is_exact(game: Game) -> None:
    """With nothing pruned and all coalitions, timeshap gives the events' values, most recent first."""
    result = run_timeshap(
        game.model, game.sequence, game.background, tolerance=0.0, nsamples=1 << LENGTH, seeds=[0, 1]
    )
    truth = enumerated(game, Scorer(str(game.model)))
    assert result.pruned_events == 0
    np.testing.assert_allclose(result.events, [truth, truth], atol=1e-5)
    assert np.isnan(result.events_pruned).all()


def test_a_peer_that_fails_says_why(tmp_path: Path) -> None:
    """A model that is not there ends in PeerFailed with the peer's last lines."""
    with pytest.raises(PeerFailed, match=r"absent\.onnx"):
        run_shap(
            tmp_path / "absent.onnx",
            np.zeros((2, 2)),
            np.zeros((1, 2)),
            np.array([[0, 1], [0, 1]]),
            budgets=[4],
            seeds=[0],
        )
