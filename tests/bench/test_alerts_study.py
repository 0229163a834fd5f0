"""The study of alerts: versions and their servers, alerts, requests, counters, loads, and what the tables say."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from rich.table import Table
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Serving, embedded

from benchmarks.alerts.alert_models import MODELS, TINY_MODEL, AlertModel, write_repository
from benchmarks.alerts.all_cores import AllCoresRow, events_of_rows
from benchmarks.alerts.counters import Counters, parts, read_counters
from benchmarks.alerts.one_core import OneCoreRound, OneCoreRow, alerts_of_phase, split_cores
from benchmarks.alerts.questions import Questions, explanations, mean_rows
from benchmarks.alerts.rounds import in_turn, ratios, rounds, spread
from benchmarks.alerts.sender import send_at, send_in_turn
from benchmarks.alerts.tables import all_cores_table, one_core_tables, tail, tiny_table
from benchmarks.alerts.tiny import TinyRow, client_seconds
from benchmarks.alerts.version_server import SUPERVISED, VersionServer, version_server
from benchmarks.alerts.versions import ROOT, Version, earlier_version, this_version
from benchmarks.arem import data
from benchmarks.arrivals import first_arrivals
from benchmarks.effort import FULL, QUICK
from benchmarks.processes import tree_cpu_seconds

HERE = Version("now", "some commit", ROOT)
# Announces itself as a server does, and runs until it is stopped.
ANNOUNCE = """
import json, pathlib, sys, time
file = pathlib.Path(sys.argv[sys.argv.index("--ready-file") + 1])
file.with_suffix(".draft").write_text(json.dumps({"grpc": "g:1", "http": "h:2"}))
file.with_suffix(".draft").replace(file)
time.sleep(60)
"""


def has_data(model: AlertModel) -> bool:
    try:
        data.folder()
    except data.AremNotFound:
        return model.name != "arem"
    return True


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def test_an_earlier_version_is_checked_out_and_removed(tmp_path: Path) -> None:
    """Its files are those of the commit, and git forgets the worktree afterwards."""
    repository = tmp_path / "repository"
    repository.mkdir()
    git(repository, "init", "--quiet")
    for text in ("first", "second"):
        (repository / "file").write_text(text)
        git(repository, "add", "file")
        git(repository, "commit", "--quiet", "--message", text)
    with earlier_version("HEAD~1", tmp_path, repository) as version:
        assert (version.root / "file").read_text() == "first"
        assert len(version.commit) == 8
    assert not version.root.exists()
    assert not list((repository / ".git" / "worktrees").glob("*"))
    with pytest.raises(ValueError, match="--before"), earlier_version("nothing", tmp_path, repository):
        pass


def fake_version(root: Path, *, package: bool = True) -> Version:
    """A version whose server only announces itself; without its package, the installed one is imported."""
    for name in ("service/sequela", "proto/python/sequela_proto")[: 2 if package else 0]:
        (root / name).mkdir(parents=True)
        (root / name / "__init__.py").touch()
    server = root / SUPERVISED
    server.parent.mkdir(parents=True)
    server.write_text(ANNOUNCE)
    return Version("before", "0", root)


def test_a_server_imports_its_own_version(tmp_path: Path) -> None:
    """PYTHONPATH goes before the installed package, and the process is bound to the core."""
    core = min(os.sched_getaffinity(0))
    with version_server(fake_version(tmp_path / "v"), (), {core}, tmp_path) as server:
        assert (server.grpc, server.http) == ("g:1", "h:2")
        assert os.sched_getaffinity(server.pid) == {core}
    assert os.sched_getaffinity(0) >= {core}


def test_a_server_of_another_version_is_refused(tmp_path: Path) -> None:
    """Otherwise a version would be compared with itself."""
    version = fake_version(tmp_path / "v", package=False)
    with (
        pytest.raises(RuntimeError, match="imported sequela from"),
        version_server(version, (), os.sched_getaffinity(0), tmp_path),
    ):
        pass


def test_a_server_that_stops_says_why(tmp_path: Path) -> None:
    """With the last lines of its log."""
    version = fake_version(tmp_path / "v")
    (version.root / SUPERVISED).write_text("raise SystemExit('no room')")
    with (
        pytest.raises(RuntimeError, match="no room"),
        version_server(version, (), os.sched_getaffinity(0), tmp_path),
    ):
        pass


def test_this_version_is_the_checkout() -> None:
    """The names of its folders lead to packages."""
    version = this_version()
    assert version.commit
    assert (version.root / SUPERVISED).is_file()
    service, _, proto = version.python_path.split(os.pathsep)
    assert (Path(service) / "sequela").is_dir()
    assert (Path(proto) / "sequela_proto").is_dir()


@pytest.mark.parametrize("model", [*MODELS, TINY_MODEL], ids=lambda each: each.name)
def test_alerts_differ_and_repeat(model: AlertModel) -> None:
    """No two alerts of a model are equal, and every version gets the same ones."""
    if not has_data(model):
        pytest.skip("needs the AReM recordings")
    first, second = (
        [b"".join(values.tobytes() for values in alert.values()) for alert in islice(model.alerts(), 6)]
        for _ in range(2)
    )
    assert len(set(first)) == 6
    assert first == second


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VersionServer]:
    """A server in this process with two models: the tiny one, and the one with several inputs."""
    several = next(each for each in MODELS if each.name == "several-inputs")
    repository = write_repository([TINY_MODEL, several], HERE, tmp_path_factory.mktemp("repository"))
    with Serving(embedded(model_repository=repository)) as running:
        yield VersionServer(HERE, running.bound.grpc, running.bound.http, os.getpid())


def test_requests_are_about_the_models_alerts(small: VersionServer) -> None:
    """Each with seed 0 and the model's own background; answers say how many rows were run, and none is a stored one."""
    several = next(each for each in MODELS if each.name == "several-inputs")
    questions = Questions(several, {"levels": ["event"], "max_coalitions": 256})
    requests = questions.requests(1, 2)
    assert requests == Questions(several, questions.options).requests(0, 3)[1:]
    sent = send_in_turn(small.grpc, requests, 1)
    assert sent.failures == {}
    assert len(sent.latencies) == 2
    assert sent.per_second == pytest.approx(2 / sent.seconds)
    found = explanations(sent.answers)
    assert [each.options.seed for each in found] == [0, 0]
    assert mean_rows(found) == np.mean([each.cost.model_rows for each in found])
    with pytest.raises(ValueError, match="twice"):
        explanations(send_in_turn(small.grpc, requests, 2).answers)


def test_open_and_closed_loop(small: VersionServer) -> None:
    """An open loop takes at least until the last arrival, and failures are counted by their code."""
    requests = Questions(TINY_MODEL).requests(0, 3)
    sent = send_at(small.grpc, requests, [0.0, 0.01, 0.2])
    assert len(sent.latencies) == 3
    assert sent.seconds >= 0.2
    refused = send_in_turn(small.grpc, [b"\xff", requests[0]], 1)
    assert sum(refused.failures.values()) == 1
    assert len(refused.answers) == 1
    assert send_in_turn(small.grpc, requests, 1, seconds=0.0).latencies == ()


def test_the_clients_calls(small: VersionServer) -> None:
    """The tiny model is known by its name."""
    explain, look_up = client_seconds(small.grpc, Questions(TINY_MODEL).alerts(10, 2))
    assert explain > 0
    assert look_up > 0


def test_counters_of_a_server(small: VersionServer) -> None:
    """Differences of two readings are what the explanations between them took."""
    earlier = read_counters(small)
    send_in_turn(small.grpc, Questions(TINY_MODEL).requests(20, 2), 1)
    used = read_counters(small).since(earlier)
    assert {"resolve", "score", "prune", "calls of the model"} <= used.parts.keys()
    assert used.parts["score"] > 0
    assert used.each(2).parts["score"] == pytest.approx(used.parts["score"] / 2)
    assert used.cpu_seconds >= 0


def test_parts_of_metrics() -> None:
    """Any histogram of seconds with a label for a stage or a part counts; other metrics do not."""
    text = """
# TYPE sequela_stage_duration_seconds histogram
sequela_stage_duration_seconds_bucket{stage="decode",le="+Inf"} 2
sequela_stage_duration_seconds_sum{stage="decode"} 0.5
sequela_stage_duration_seconds_count{stage="decode"} 2
# TYPE sequela_model_call_seconds histogram
sequela_model_call_seconds_sum 3
# TYPE sequela_queue_wait_seconds histogram
sequela_queue_wait_seconds_sum{queue="bulk"} 7
"""
    assert dict(parts(text)) == {"decode": 0.5, "calls of the model": 3.0}
    first, second = Counters(1.0, {"a": 1.0}), Counters(3.0, {"a": 2.0, "b": 5.0})
    assert second.since(first).each(2) == Counters(1.0, {"a": 0.5, "b": 2.5})


def test_processor_time_of_a_tree() -> None:
    """That of a process that has ended counts too, once it was waited for."""
    loop = "import time\nwhile time.process_time() < 0.1: pass"
    before = tree_cpu_seconds(os.getpid())
    subprocess.run([sys.executable, "-S", "-c", loop], check=True)
    assert tree_cpu_seconds(os.getpid()) - before >= 0.08


def test_arrivals_have_their_number_and_rate() -> None:
    """The same seed gives the same pattern at every rate."""
    slow, fast = first_arrivals(4000, 10.0, seed=1), first_arrivals(4000, 20.0, seed=1)
    assert len(slow) == 4000
    assert slow[-1] == pytest.approx(400, rel=0.1)
    np.testing.assert_allclose(slow, 2 * fast)
    assert (np.diff(slow) >= 0).all()


def test_rounds_take_turns() -> None:
    """Every other round is in reverse, and a slow server gets fewer alerts."""
    assert [in_turn("ab", number) for number in range(3)] == ["ab", "ba", "ab"]
    assert (rounds(QUICK), rounds(FULL)) == (1, 4)
    assert alerts_of_phase(20.0, FULL) == 100
    assert alerts_of_phase(0.1, FULL) == 10
    assert alerts_of_phase(1e6, FULL) == FULL.calls
    own, others = split_cores()
    assert len(own) == 1
    assert own.isdisjoint(others) or own == others


def test_events_of_rows() -> None:
    """All events if the model ran on whole sequences, else those that were not pruned."""
    pruning = pb.Pruning(pruned_events=30)
    whole = pb.Explanation(event_count=40, pruning=pruning, cost=pb.Cost(model_rows=10, model_events=400))
    states = pb.Explanation(event_count=40, pruning=pruning, cost=pb.Cost(model_rows=10, model_events=60))
    assert (events_of_rows(whole), events_of_rows(states)) == (40, 10)


def test_spreads_and_tails() -> None:
    """Ratios are formed in each round, since both were measured side by side; tails over all rounds together."""
    assert str(ratios((8.0, 9.0, 20.0), (2.0, 3.0, 4.0))) == "4 (3-5)"
    assert str(spread((1234.5, 1234.5))) == "1234"
    assert str(spread((float("nan"),))) == "-"
    assert tail([range(1, 51), range(51, 101)]) == (50, 99)


def shown(*tables: Table) -> str:
    console = Console(width=130)
    with console.capture() as text:
        console.print(*tables, sep="\n")
    return text.get()


def test_the_tables() -> None:
    """Before and now, their ratios, and no header or name that does not fit."""

    def one(factor: float) -> OneCoreRound:
        wall, load = (0.01 * factor,), (0.02 * factor, 0.06 * factor)
        cpu, rows, per_second = 0.008 * factor, 100 * factor, 100 / factor
        return OneCoreRound(wall, cpu, {"plan": 0.004 * factor}, rows, per_second, rows, (load, load), 0, 0.0)

    before, now = (
        OneCoreRow("demo", "before", 50, (one(4), one(5))),
        OneCoreRow("demo", "now", 50, (one(1), one(1))),
    )
    text = shown(*one_core_tables([before, now], "before: 1, now: 2"))
    for each in ("45 (40-50)", "36 (32-40)", "22.5 (20-25)", "4.5 (4-5)", "3.0", "18.00", "4.00"):
        assert each in text
    assert "…" not in text
    several = [
        AllCoresRow("demo", "before", (0.4, 0.4), (2.0, 2.0), (1.0, 1.0)),
        AllCoresRow("demo", "now", (0.1, 0.1), (1.3, 1.2), (1.0, 1.0)),
    ]
    text = shown(all_cores_table(several, 2, 1024), tiny_table([TinyRow("now", (0.004,), (0.002,))]))
    for each in ("4 ", "1.25 (1.2-1.3)", "1024 coalitions", "2 "):
        assert each in text
