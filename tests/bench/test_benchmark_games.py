"""The truths that the accuracy benchmark judges by agree with each other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.accuracy import coverage
from benchmarks.games import Game, enumerated, permuted, write_gru
from benchmarks.peers.scorer import Scorer


def test_random_orders_agree_with_all_coalitions(tmp_path: Path) -> None:
    """Two ways to one game's Shapley values: within five standard errors, and both efficient."""
    rng = np.random.default_rng(3)
    write_gru(tmp_path / "gru.onnx", 3, rng)
    players = np.arange(24).reshape(8, 3) // 3
    game = Game("events", tmp_path / "gru.onnx", rng.normal(size=(8, 3)), np.zeros((1, 3)), players)
    score = Scorer(str(game.model))
    exact = enumerated(game, score)
    sampled, errors = permuted(game, score, permutations=500, seed=0)
    base, full = game.values(np.array([[False] * 8, [True] * 8]), score)
    assert (np.abs(sampled - exact) <= 5 * errors).all()
    np.testing.assert_allclose([exact.sum(), sampled.sum()], full - base, atol=1e-9)


def test_coverage_is_told_for_single_players() -> None:
    """Of four players over ten seeds one is held half of the time: the average hides it."""
    truth = np.array([0.1, -4.0, 2.0, 1.0])
    values = np.tile(truth, (10, 1))
    values[:5, 1] += 0.5
    found = coverage(values, np.full((10, 4), 0.1), truth)
    assert (found.pooled, found.worst, found.top) == pytest.approx((35 / 40, 5 / 10, 25 / 30))
    assert str(found) == "88% 50% 83%"
