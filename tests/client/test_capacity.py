"""`sequela capacity`: its arithmetic by hand, what it counts against other counters, and the command as a whole."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from client.page_outputs import without_log
from redis import Redis
from redis_server import RedisServer, redis_server
from sequela_client import CallerError, Sequela
from sequela_client.cli.capacity_measurement import Workload, _onnx_file, repository_of
from sequela_client.cli.capacity_plan import (
    REDIS_COMMANDS,
    REDIS_COMMANDS_PER_INDEX,
    Deployment,
    Measurement,
    ServerMemory,
    plan,
    redis_bytes_each,
)
from sequela_client.cli.capacity_report import size
from sequela_client.cli.main import main
from sequela_client.cli.server_processes import ServerProcesses, can_measure
from sequela_client.files import read_sequence
from serving import Serving, embedded

from models.exported.page import ROOT

__all__ = ["redis_server"]

MODELS = ROOT / "service" / "sequela" / "demo" / "models"
ALERTS = sorted((ROOT / "service" / "sequela" / "demo" / "alerts").glob("*.json"))
MEASURED = Measurement("m", 100, 0.05, 0.04, ServerMemory(100e6, 50e6), 10_000.0, 3.0)


def run(*words: object) -> Any:
    """Runs the command with --json, and returns what it prints."""
    done = CliRunner().invoke(main, ["capacity", *map(str, words), "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(without_log(done.stdout))


def test_a_plan_by_hand() -> None:
    """1,000 alerts of 40 ms keep 40 cores busy, which is half of 80 cores, which are ten replicas of eight."""
    found = plan(MEASURED, 1000, Deployment(0.5, 8, 86_400.0))
    assert found.cores == 80
    assert found.replicas == 10
    assert found.replica_bytes == 100e6 + 8 * 50e6
    # A day of 1,000 a second, of 10,000 bytes in a file, 1,000 for keys and 3 × 500 for indexes.
    assert found.redis_bytes == 86_400 * 1000 * 12_500
    assert found.redis_commands == 1000 * (16 + 3 * 8)


@pytest.mark.parametrize(("rate", "replicas"), [(0.1, 2), (120, 2), (120.1, 3), (180, 3)])
def test_replicas_are_rounded_up_and_at_least_two(rate: float, replicas: int) -> None:
    """At 60 %, 60 alerts a second of 40 ms need four cores."""
    assert plan(MEASURED, rate, Deployment()).replicas == replicas


def test_what_was_not_measured_is_not_planned() -> None:
    """Behind a server that runs elsewhere, neither memory nor bytes are known."""
    found = plan(replace(MEASURED, memory=None, stored_bytes=None), 10, Deployment())
    assert (found.replica_bytes, found.redis_bytes) == (None, None)


@pytest.mark.parametrize(
    ("count", "text"),
    [(None, "not measured"), (999, "999 B"), (12_345, "12.3 kB"), (999_600, "1 MB"), (8.2e12, "8.2 TB")],
)
def test_sizes(count: float | None, text: str) -> None:
    """Three digits, and units of 1,000."""
    assert size(count) == text


@pytest.mark.skipif(not can_measure(), reason="only Linux tells what processes use")
def test_processor_time_is_that_of_all_processes() -> None:
    """A program and its child each say how much they have used; the sum is what is counted."""
    burn = "import time\nwhile time.process_time() < 0.1: pass\nprint(time.process_time(), flush=True)\n"
    child = f"{burn}input()"
    parent = (
        f"import subprocess, sys\n{burn}"
        f"child = subprocess.Popen([sys.executable, '-c', {child!r}], stdin=subprocess.PIPE)\ninput()"
    )
    command = [sys.executable, "-c", parent]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        said = sum(float(running.stdout.readline()) for _ in range(2))
        counted = ServerProcesses(running.pid)
        # The clock of the system ticks a hundred times a second, and starting the child takes some.
        assert said - 0.03 <= counted.core_seconds() <= said + 0.3
        assert counted.front_bytes() > 1_000_000
        running.kill()


def test_a_model_is_a_file_or_a_folder(tmp_path: Path) -> None:
    """The file itself, the one in a folder, or that of the highest version; the copy has its schema."""
    for version in ("2", "10"):
        shutil.copytree(MODELS / "account_takeover" / "1", tmp_path / "m" / version)
    assert _onnx_file(tmp_path / "m") == tmp_path / "m" / "10" / "model.onnx"
    assert _onnx_file(tmp_path / "m" / "2") == tmp_path / "m" / "2" / "model.onnx"
    with repository_of(tmp_path / "m" / "2" / "model.onnx") as repository:
        assert [each.name for each in sorted((repository / "model" / "1").iterdir())] == [
            "model.onnx",
            "schema.json",
        ]
    with pytest.raises(CallerError, match="neither an ONNX file nor a folder"):
        _onnx_file(tmp_path)


def test_a_model_needs_sequences() -> None:
    """The demo's alerts fit only the demo's model."""
    done = CliRunner().invoke(main, ["capacity", "--model", "model.onnx"])
    assert done.exit_code == 2
    assert "--model goes with --sequence" in done.output


def test_a_server_that_runs_already() -> None:
    """It is asked, stores nothing, and the plans follow from what was measured."""
    with Serving(embedded(model_repository=MODELS)) as serving, Sequela(serving.bound.grpc) as sequela:
        said = run("--server", serving.bound.grpc, "--seconds", 0.1, "--rate", 7, "--sequence", ALERTS[1])
        assert list(sequela.list_explanations()) == []
    measured, (planned,) = said["measurement"], said["plans"]
    assert measured["alerts"] >= 1
    assert 0 < measured["p50_seconds"] < 60
    assert planned["rate"] == 7
    assert planned["cores"] == pytest.approx(7 * measured["core_seconds"] / 0.6)
    assert (measured["memory"], planned["redis_bytes"]) == (None, None)


@pytest.fixture(scope="module")
def stored_bytes() -> float:
    """What one explanation of the demo's alerts takes in a file, as the command measures it."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        return float(run("--seconds", 3)["measurement"]["stored_bytes"])


@pytest.mark.slow
def test_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server of its own: time, memory and bytes are measured, and the report has a row for each rate."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    model = MODELS / "account_takeover" / "1" / "model.onnx"
    said = run("--seconds", 1, "--model", model, "--sequence", ALERTS[1], "--sequence", ALERTS[3])
    measured = said["measurement"]
    assert measured["model"] == "model"
    assert measured["indexes"] == Workload("m", tuple(map(read_sequence, ALERTS[1:4:2]))).indexes == 5
    assert 2_000 < measured["stored_bytes"] < 40_000
    assert [each["rate"] for each in said["plans"]] == [10, 1000, 100_000]
    if can_measure():
        # One call at a time on one core: its processor time cannot be longer than the calls, but for what they share.
        assert 0 < measured["core_seconds"] < 3 * measured["p50_seconds"]
        assert measured["memory"]["front_bytes"] > 30e6
        assert measured["memory"]["engine_bytes"] > 10e6
    done = CliRunner().invoke(main, ["capacity", "--seconds", "0.5", "--rate", "3"], env={"COLUMNS": "100"})
    assert done.exit_code == 0, done.output
    assert "This holds if:" in done.output


@pytest.mark.slow
@pytest.mark.parametrize("labels", [0, 3])
def test_redis_takes_what_is_planned(redis_server: RedisServer, labels: int, stored_bytes: float) -> None:
    """Commands as many as Redis counts, and bytes within 15 % of what it takes, for the demo's alerts."""
    given = {f"label-{number}": "value" for number in range(labels)}
    alerts = [replace(read_sequence(file), labels=given) for file in ALERTS]
    commands, taken = _cost_in_redis(redis_server.url, [*alerts] * 8)
    indexes = Workload("m", tuple(alerts)).indexes
    assert indexes == 2 + labels
    assert commands == pytest.approx(REDIS_COMMANDS + REDIS_COMMANDS_PER_INDEX * indexes, abs=1)
    measured = Measurement("m", 1, 1, 1, None, stored_bytes, indexes)
    assert redis_bytes_each(measured) == pytest.approx(taken, rel=0.15)


def _cost_in_redis(url: str, alerts: list[Any]) -> tuple[float, float]:
    """Commands and bytes for each explanation, after the first, as Redis itself counts them."""
    redis = Redis.from_url(url)
    redis.flushall()
    with (
        Serving(embedded(store=url, model_repository=MODELS)) as serving,
        Sequela(serving.bound.grpc) as sequela,
    ):
        sequela.explain(alerts[0], model="account_takeover")
        before = redis.info()
        for number, alert in enumerate(alerts, start=1):
            sequela.explain(alert, model="account_takeover", caller_id=f"alert-{number}", seed=number)
        after = redis.info()
    redis.close()
    # The second question itself is one command.
    commands = after["total_commands_processed"] - before["total_commands_processed"] - 1
    return commands / len(alerts), (after["used_memory"] - before["used_memory"]) / len(alerts)
