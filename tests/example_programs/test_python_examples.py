"""The fraud-scoring and case-tool examples, against a server of the demo and against one that is busy or broken."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from client.scripted import Script
from client.scripted import serving as scripted
from documents import ROOT
from sequela_client import AsyncSequela, Sequela
from serving import Serving, embedded
from waiting import PATIENCE

from examples import case_tool, fraud_scoring

ALERTS = sorted((ROOT / "service" / "sequela" / "demo" / "alerts").glob("*.json"))
INPUTS = {"x": [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]}
BUSY = (grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL", "full", "", 9.0)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A server with the demo's model."""
    with Serving(embedded(model_repository=ROOT / "service" / "sequela" / "demo" / "models")) as running:
        yield running.bound.grpc


def run_program(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs an example as its docstring says."""
    command = [sys.executable, str(ROOT / "examples" / name), *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=100)


def send(script: Script, payments: list[fraud_scoring.Payment]) -> list[str]:
    """Sends alerts for payments to a scripted server, and returns the ids of those whose reasons are missing."""

    async def work(address: str) -> list[str]:
        async with AsyncSequela(address) as sequela:
            return [each.id for each in await fraud_scoring.send_alerts(sequela, payments)]

    with scripted(script) as address:
        return asyncio.run(work(address))


@pytest.mark.slow
def test_every_alert_gets_its_reasons_and_can_be_fetched(server: str, tmp_path: Path) -> None:
    """The score is the model's, and the case tool finds by the alert's id what was explained."""
    done = run_program("fraud_scoring.py", "--server", server, *ALERTS)
    assert done.returncode == 0, done.stderr
    with Sequela(server) as sequela:
        for file in ALERTS:
            found = case_tool.latest_explanation(sequela, file.stem)
            assert found is not None
            assert f"{file.stem}: score {found.score:.2f}\n" in done.stdout
            assert all(f"  {reason.text}\n" in done.stdout for reason in found.reasons)
    assert "447.35 EUR" in done.stdout, "raw values as they were sent, not computed back"
    page = tmp_path / "alert.html"
    shown = run_program("case_tool.py", "takeover-20", "--server", server, "--html", page)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith("takeover-20: score 0.99, explained ")
    assert page.read_text().startswith("<!DOCTYPE html>")


@pytest.mark.slow
def test_an_alert_without_an_explanation(server: str) -> None:
    """The case tool says so in one line."""
    done = run_program("case_tool.py", "never-seen", "--server", server)
    assert done.returncode == 1
    assert done.stderr.startswith("no explanation of never-seen is stored")


def test_a_busy_server_does_not_hold_an_alert_up(capsys: pytest.CaptureFixture[str]) -> None:
    """The server wants to be asked again in nine seconds; the alert goes out at once, with its score alone."""
    script, started = Script(failures=[BUSY]), time.monotonic()
    missing = send(script, [fraud_scoring.Payment("a", 0.93, INPUTS)])
    assert missing == ["a"]
    assert capsys.readouterr().out == "a: score 0.93\n"
    assert time.monotonic() - started < 9


@pytest.fixture
def _much_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Alerts wait for their reasons as long as a busy machine takes."""
    monkeypatch.setattr(fraud_scoring, "DEADLINE_SECONDS", PATIENCE)


@pytest.mark.usefixtures("_much_time")
def test_a_mistake_of_ours_is_logged_and_the_alert_goes_out(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """What somebody has to repair is an error in the log."""
    script = Script(failures=[(grpc.StatusCode.INVALID_ARGUMENT, "TENSOR_SHAPE", "two columns are missing")])
    with caplog.at_level(logging.ERROR, "fraud_scoring"):
        assert send(script, [fraud_scoring.Payment("a", 0.93, INPUTS)]) == ["a"]
    assert "TENSOR_SHAPE: two columns are missing" in caplog.text
    assert capsys.readouterr().out == "a: score 0.93\n"


@pytest.mark.usefixtures("_much_time")
def test_one_failure_does_not_touch_the_other_alerts(capsys: pytest.CaptureFixture[str]) -> None:
    """Of forty alerts, one is without reasons, and all have gone out."""
    payments = [fraud_scoring.Payment(f"alert-{number}", 0.9, INPUTS) for number in range(40)]
    wrong = (grpc.StatusCode.INVALID_ARGUMENT, "TENSOR_SHAPE", "two columns are missing")
    missing = send(Script(failures=[wrong]), payments)
    assert len(missing) == 1
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("alert-")]
    assert sorted(lines) == sorted(f"{payment.id}: score 0.90" for payment in payments)
