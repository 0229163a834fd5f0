"""What the studies of estimators count: errors beside others, coverage and bias by player, and needed coalitions."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from sequela.explain.explanation import StopReason
from sequela.explain.options import Estimator
from sequela.timeshap.regression import Solution

from benchmarks.estimators import closed_form, coverage_study, error_study, row_study
from benchmarks.estimators.known_game import KnownGame, exact
from benchmarks.estimators.level_game import level
from benchmarks.estimators.ours import BASE, OURS
from benchmarks.peers.estimator_process import EstimatorProcess
from benchmarks.peers.jobs import PeerFailed

PEER = """
import sys
from multiprocessing.connection import Connection
import numpy as np

with Connection(int(sys.argv[1])) as ours:
    name, players, budget, seed = ours.recv()
    if name == "broken":
        raise ValueError("no such estimator")
    alone = np.eye(players, dtype=bool)
    ours.send(("coalitions", alone.tobytes()))
    first = np.frombuffer(ours.recv())
    ours.send(("coalitions", np.zeros((1, players), bool).tobytes()))
    ours.send(("attributions", (first - np.frombuffer(ours.recv())).tobytes()))
"""


@pytest.fixture
def peer(tmp_path: Path) -> list[str]:
    """A peer that takes what each player is worth alone."""
    path = tmp_path / "peer.py"
    path.write_text(PEER)
    return [sys.executable, str(path)]


def test_a_peer_asks_for_values_and_they_are_counted(peer: list[str]) -> None:
    """What players of an additive game are worth alone is their attribution."""
    game = closed_form.additive(6, seed=0)
    with EstimatorProcess(peer) as process:
        found = process.estimate("any", game, 6, budget=7, seed=0)
    np.testing.assert_allclose(found.attributions, game.truth, atol=1e-12)
    assert found.coalitions == 7


def test_a_peer_that_ends_says_why(peer: list[str]) -> None:
    """The error has the last lines of its output."""
    with EstimatorProcess(peer) as process, pytest.raises(PeerFailed, match="no such estimator"):
        process.estimate("broken", closed_form.additive(3, seed=0), 3, budget=8, seed=0)


def test_estimates_of_others_are_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, peer: list[str]
) -> None:
    """The second time no process starts."""
    game = closed_form.additive(6, seed=0)
    monkeypatch.setattr(EstimatorProcess, "shapiq", classmethod(lambda cls: cls(peer)))
    with ExitStack() as stack:
        first = error_study.PeerCache(stack, tmp_path).estimates("any", game, 7, range(1))
    monkeypatch.setattr(EstimatorProcess, "shapiq", None)
    with ExitStack() as stack:
        second = error_study.PeerCache(stack, tmp_path).estimates("any", game, 7, range(1))
    np.testing.assert_array_equal(first, second)
    assert first.shape == (1, 6)


def test_errors_are_relative_and_compared_by_game() -> None:
    """Two games: half of the error in one, twice the error in the other, which has no noise."""
    rows = [
        error_study.Row(game, 3, 512, name, error)
        for game, errors in {"a": (0.1, 0.2), "b": (1e-9, 1e-12)}.items()
        for name, error in zip(("mine", "theirs"), errors, strict=True)
    ]
    assert error_study.ratio(rows, "theirs", "mine") == pytest.approx(2**0.5)
    assert error_study.near_best(rows, "mine") == 2
    assert error_study.near_best(rows, "theirs") == 1
    game = exact("two", lambda z: z @ np.array([3.0, 4.0]), np.array([3.0, 4.0]))
    (row,) = error_study.rows(game, 4, {"mine": np.array([[3.0, 5.0], [3.0, 4.0]])})
    assert row.error == pytest.approx(0.5 / 12.5**0.5)


def test_coverage_and_bias_are_told_for_the_worst_player() -> None:
    """Player 1 is off by a bar and a half in half of the seeds, always upwards; the truth of player 0 is uncertain."""
    truth, errors = np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.1, 0.0, 0.0, 0.0])
    game = KnownGame("four", lambda z: z @ truth, truth, errors)
    values = np.tile(truth, (10, 1))
    values[:5, 1] += 0.3
    values[:, 0] += 0.19
    bars = np.full((10, 4), 0.1)
    bars[:, 0] = 0.0
    found = coverage_study.measured(
        game, "any", "2048", coverage_study.Estimates(values, bars, np.full(10, 2048.0))
    )
    assert (found.pooled, found.worst, found.top) == pytest.approx((35 / 40, 0.5, 25 / 30))
    assert found.bias == pytest.approx(1.9, rel=1e-5)


@pytest.mark.parametrize("estimator", Estimator)
def test_a_level_stops_by_the_default_target(estimator: Estimator) -> None:
    """As in the service; a game with few coalitions is exact."""
    sampled = level(closed_form.sparse(16, seed=0), 0, estimator)
    assert sampled.reason is StopReason.TARGET
    assert sampled.solution
    assert 0 < sampled.solution.errors.max() <= 0.005
    game = closed_form.votes(10, seed=0)
    whole = level(game, 0, estimator)
    assert whole.reason is StopReason.EXACT
    assert whole.solution
    np.testing.assert_allclose(whole.solution.values[:, 0], game.truth, atol=1e-12)


def test_the_grid_grows_by_the_root_of_two() -> None:
    """From the smallest budget that gives standard errors, to all coalitions."""
    assert row_study.grid(10) == (128, 182, 256, 362, 512, 724, 1024)
    assert row_study.grid(46)[0] == 184
    assert row_study.grid(46)[-1] <= row_study.MOST
    assert all(size % 2 == 0 for size in row_study.grid(46))


def test_needed_coalitions_are_the_first_that_are_enough() -> None:
    """An estimator whose error is 1/n; and one that is never right."""
    game = closed_form.additive(10, seed=0)

    def estimate(_: object, players: int, budget: int, seed: int) -> Solution:
        values = game.truth[:, np.newaxis] + (-1) ** seed / budget
        return Solution(values, np.zeros((players, 1)))

    assert row_study.needed(game, estimate, range(2)) == (256, pytest.approx(1 / 256))
    assert row_study.needed(game, lambda *_: Solution(np.ones((10, 1)), np.ones((10, 1))), range(2))[0] == 0


def test_each_of_our_estimators_is_measured() -> None:
    """By every study, with tables; on a game that all of them solve exactly."""
    game = closed_form.additive(8, seed=0)
    found = list(coverage_study.measure(game, seeds=2))
    # Only estimators that a request can name end a level by its target.
    assert {(row.estimator, row.ends) for row in found} == {
        (name, ends)
        for name, ours in OURS.items()
        for ends in ("2048", "target")
        if ours.option or ends == "2048"
    }
    assert all(row.pooled == row.worst == row.top == 1.0 and row.bias < 0.01 for row in found)
    assert len(list(coverage_study.tables(found))) == len({(row.estimator, row.ends) for row in found}) + 1
    rows = list(row_study.measure(game, range(2)))
    assert rows[0].estimator == BASE
    assert all(row.saved == 1.0 for row in rows)
    assert row_study.row_table(rows).row_count == 1
