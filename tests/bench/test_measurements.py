"""The pieces that measure: the tree's steps, bare rows, memory, names of players, profiles, the load generator."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sequela_client import Sequela
from serving import Serving, embedded

from benchmarks import levels
from benchmarks.bare import events_per_row, rate
from benchmarks.beside import errors
from benchmarks.cases import DEMO, Case, gru
from benchmarks.exact import tree_steps
from benchmarks.generator import run
from benchmarks.halts import Watch
from benchmarks.peers.jobs import TimeShapResult
from benchmarks.processes import children, forget_peak, peak_mb, resident_mb
from benchmarks.profiles import parse


@pytest.mark.parametrize("players", [1, 2, 5])
def test_the_tree_has_a_step_for_every_distinct_past(players: int) -> None:
    """Counted: every different beginning of every coalition is run once."""
    coalitions = itertools.product((False, True), repeat=players)
    pasts = {coalition[: i + 1] for coalition in coalitions for i in range(players)}
    assert tree_steps(players) == len(pasts)


def test_bare_rows_are_those_that_ran(server: Serving, tmp_path: Path) -> None:
    """A recurrent model is compared with rows of its unpruned events, and a rate is found; the players are ours."""
    case = gru(tmp_path, 30)
    with Sequela(server.bound.grpc) as sequela:
        found = sequela.explain(
            case.inputs, model=case.model, background=case.background, max_coalitions=512, levels=["event"]
        )
    kept = found.length - found.pruning.pruned_events
    assert 9 <= kept <= 11
    assert events_per_row(found) == kept
    assert found.cost.model_events < found.cost.model_rows * found.length
    assert rate(case, kept, seconds=0.01) > 0
    names, _ = levels.players(found.length, 45, found.pruning.pruned_events, "event")
    assert levels.ours(found)["event"].keys() == set(names)


def test_owners_split_the_sequence() -> None:
    """Events and features own the recent cells, the pruned block all others."""
    names, owners = levels.players(length=4, width=3, pruned=2, level="event")
    assert names == ["event -1", "event 0", "pruned"]
    np.testing.assert_array_equal(owners, [[2] * 3, [2] * 3, [0] * 3, [1] * 3])
    names, owners = levels.players(length=3, width=2, pruned=0, level="feature")
    assert names == ["feature 0", "feature 1"]
    np.testing.assert_array_equal(owners, [[0, 1]] * 3)


def test_timeshaps_names_become_ours() -> None:
    """Its Event -1 is our t = 0; whatever it calls other is the rest."""
    one = np.ones(1)
    result = TimeShapResult(
        pruned_events=3,
        seconds_pruning=0.0,
        rows=0,
        calls=0,
        rows_pruning=0,
        calls_pruning=0,
        peak_mb=0.0,
        events=np.array([[0.1, 0.2]]),
        events_pruned=np.array([0.3]),
        events_seconds=one,
        features=np.array([[0.4]]),
        features_pruned=np.array([0.5]),
        features_seconds=one,
        cells=np.array([[0.6, 0.7, 0.8, 0.9]]),
        cells_pruned=np.array([1.0]),
        cells_seconds=one,
        cells_names=np.array(
            [["Event -2|7", "Event -1|Other Features", "Other Events|7", "Other Events|Other Features"]]
        ),
    )
    assert levels.timeshaps(result, run=0) == {
        "event": {"event 0": 0.1, "event -1": 0.2, "pruned": 0.3},
        "feature": {"feature 0": 0.4, "pruned": 0.5},
        "cell": {
            "cell -1 7": 0.6,
            "cell 0 rest": 0.7,
            "cell rest 7": 0.8,
            "cell rest rest": 0.9,
            "pruned": 1.0,
        },
    }


def test_errors_need_the_same_players() -> None:
    """A run that chose other cells does not count; a level that none shares is left out."""
    truth = {"event": {"a": 1.0}, "cell": {"b": 1.0}, "feature": {"c": 1.0}}
    found = [{"event": {"a": 3.0}, "cell": {"x": 1.0}}, {"event": {"a": 1.0}, "cell": {"b": 2.0}}]
    assert errors(found, truth) == {"event": pytest.approx(2**0.5), "cell": 1.0}


def test_memory_of_another_process() -> None:
    """A peak that was let go is still seen, until it is forgotten; a child is found."""
    program = "import sys; x = bytearray(80_000_000); del x; print(flush=True); sys.stdin.read()"
    child = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    with child:
        child.stdout.readline()
        assert child.pid in children(os.getpid())
        assert peak_mb(child.pid) - resident_mb(child.pid) > 60
        forget_peak(child.pid)
        assert peak_mb(child.pid) - resident_mb(child.pid) < 20


def test_only_long_sleeps_are_the_machines() -> None:
    """A quarter of a second late counts, with all its time; what a scheduler does to a thread does not."""
    watch = Watch()
    for slept in (0.02, 0.2, 1.02, 3.02):
        watch.look(slept)
    assert (watch.seconds, watch.longest) == pytest.approx((4.0, 3.0))


def test_a_profile_counts_a_function_once_a_stack() -> None:
    """Three looks: itself where it is innermost, and below wherever it stands, recursion or not."""
    shares = {share.function: share for share in parse(["a (x.py:1);b;b 2", "a (x.py:1) 1"])}
    assert (shares["b"].inside, shares["b"].below) == pytest.approx((2 / 3, 2 / 3))
    assert (shares["a (x.py:1)"].inside, shares["a (x.py:1)"].below) == pytest.approx((1 / 3, 1))


def test_the_generator_counts_what_it_sends(tmp_path: Path) -> None:
    """Open loop: one latency an arrival, from its time. Closed loop: requests until the time is up."""
    np.save(tmp_path / "times.npy", [0.0, 0.01, 0.2])
    alert = DEMO / "alerts" / "takeover-20.json"
    with Serving(embedded(model_repository=DEMO / "models")) as demo:
        asked = argparse.Namespace(
            address=demo.bound.grpc,
            alert=alert,
            first_number=7,
            arrivals=tmp_path / "times.npy",
            closed=None,
            client={},
        )
        found = asyncio.run(run(asked))
        assert len(found["latencies"]) == 3
        assert found["seconds"] >= 0.2
        assert not found["failures"]
        closed = argparse.Namespace(
            address=demo.bound.grpc,
            alert=alert,
            first_number=1000,
            arrivals=None,
            closed=(2.0, 0.2),
            client={},
        )
        assert len(asyncio.run(run(closed))["latencies"]) >= 2


def test_the_generator_counts_failures(server: Serving, tmp_path: Path) -> None:
    """A server without the model refuses every request: counted by name, never as a latency."""
    np.save(tmp_path / "times.npy", [0.0, 0.01, 0.02])
    alert = DEMO / "alerts" / "takeover-20.json"
    asked = argparse.Namespace(
        address=server.bound.grpc,
        alert=alert,
        first_number=0,
        arrivals=tmp_path / "times.npy",
        closed=None,
        client={},
    )
    found = asyncio.run(run(asked))
    assert found["latencies"] == []
    assert found["failures"] == {"NotFound": 3}


def test_columns_lie_side_by_side() -> None:
    """Inputs in the model's order, l rows."""
    case = Case(
        "two",
        Path("m"),
        {"a": np.ones((3, 2)), "b": np.zeros((3, 1), int)},
        {"a": np.ones(2), "b": np.zeros(1)},
        (),
    )
    assert case.length == 3
    np.testing.assert_array_equal(case.columns, [[1, 1, 0]] * 3)
    np.testing.assert_array_equal(case.background_columns, [[1, 1, 0]])
