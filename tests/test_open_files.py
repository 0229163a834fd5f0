"""The server raises its limit of open files, stays below it, and does not fill the log if it runs out nevertheless."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
import structlog
from sequela import open_files
from sequela.open_files import LoopErrors, fit_connections, raise_limit
from serving import embedded
from waiting import PATIENCE, eventually

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("service", "clients/python", "proto/python")


@pytest.fixture
def limits() -> Iterator[tuple[int, int]]:
    """The limits of this process, which are restored afterwards."""
    found = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield found
    resource.setrlimit(resource.RLIMIT_NOFILE, found)


def test_the_soft_limit_is_raised_as_far_as_needed(limits: tuple[int, int]) -> None:
    """Not further, and never lowered."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (600, limits[1]))
    assert raise_limit(500) == 500
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 600
    assert raise_limit(700) == 700
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (700, limits[1])


def test_with_enough_files_the_settings_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_files, "raise_limit", lambda needed: needed)
    settings = embedded()
    assert fit_connections(settings) is settings


def test_with_few_files_there_are_fewer_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both kinds in proportion, so that all of them and the server's own files fit; the log says so."""
    monkeypatch.setattr(open_files, "raise_limit", lambda _: 1024)
    with structlog.testing.capture_logs() as log:
        fitted = fit_connections(embedded(max_http_connections=1024, max_grpc_connections=3072))
    besides = open_files.RESERVED_FILES + open_files.PROBE_CONNECTIONS + open_files.ACCEPTED_AT_ONCE
    assert fitted.max_http_connections + fitted.max_grpc_connections + besides <= 1024
    assert fitted.max_grpc_connections == 3 * fitted.max_http_connections
    assert [line["event"] for line in log] == ["few open files"]


def test_running_out_of_files_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand failures to accept within ten seconds; other errors are logged as ever."""
    monkeypatch.setattr(open_files, "time", SimpleNamespace(monotonic=lambda: 100.0))
    loop = asyncio.new_event_loop()
    others: list[object] = []
    monkeypatch.setattr(loop, "default_exception_handler", others.append)
    errors = LoopErrors()
    with structlog.testing.capture_logs() as log:
        for _ in range(1_000):
            errors.handle(loop, {"exception": OSError(errno.EMFILE, "Too many open files")})
        errors.handle(loop, {"exception": OSError(errno.EPIPE, "Broken pipe")})
    loop.close()
    assert [line["event"] for line in log] == ["connections not accepted"]
    assert len(others) == 1


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_more_silent_connections_than_files(tmp_path: Path) -> None:
    """A server of at most 700 files and 600 silent connections on each port: probes are answered, the processor rests,
    and the log stays short.
    """
    ready = tmp_path / "ready.json"
    given = [
        sys.executable,
        "-m",
        "sequela",
        "serve",
        "--port",
        "0",
        "--http-port",
        "0",
        "--ready-file",
        str(ready),
    ]
    path = os.pathsep.join(str(ROOT / package) for package in PACKAGES)
    limited = ["sh", "-c", 'ulimit -n 700 && exec "$@"', "sh", *given]
    log = tmp_path / "log"
    with ExitStack() as stack:
        output = stack.enter_context(log.open("wb"))
        server = subprocess.Popen(limited, stderr=output, env={**os.environ, "PYTHONPATH": path})
        stack.callback(server.wait)
        stack.callback(server.kill)
        eventually(ready.exists, PATIENCE)
        bound = json.loads(ready.read_text())
        for address in (bound["http"], bound["grpc"]) * 600:
            host, port = address.rsplit(":", 1)
            with suppress(OSError):
                stack.enter_context(socket.create_connection((host, int(port)), timeout=2.0))
        eventually(lambda: _rests(server.pid), PATIENCE)  # once it has done with those that it refused
        for _ in range(3):
            assert httpx.get(f"http://{bound['http']}/healthz", timeout=PATIENCE).status_code == 200
    assert len(log.read_text().splitlines()) < 50


def _rests(pid: int) -> bool:
    """Whether a process uses less than half of a core for two seconds."""
    before = _processor_seconds(pid)
    time.sleep(2.0)
    return _processor_seconds(pid) - before < 1.0


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
