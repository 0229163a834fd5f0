"""A server process, its engines and its health. Callers reach it through a proxy, whose port stays the same."""

from __future__ import annotations

import json
import os
import signal
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

import httpx
from demo_alert import DEMO
from fault_proxy import FaultProxy
from metric_text import sum_of_series
from sequela_client.local_server import LocalServer, start_server
from waiting import eventually

from benchmarks.processes import children

START_SECONDS = 120.0
PATIENCE = 120.0
"""In seconds: longer than anything should take to recover, on any machine."""
HEALTH_SECONDS = 10.0
ENGINES_UP = 'sequela_engines_up{class="trusted"}'
USUAL = ("--log-level", "warning", "--max-design-bytes", str(16 << 20), "--drain-delay", "0.5")
"""Each question has a design of its own, so designs that are kept would only fill memory."""


def wait_until(condition: Callable[[], bool]) -> None:
    """Waits until the condition is true, and fails after `PATIENCE`."""
    eventually(condition, PATIENCE)


class Replica:
    """A server that can be killed and started again.

    Attributes:
        engines: How many engines it has.
        proxy: Where callers reach it.
    """

    def __init__(self, engines: int, *arguments: str) -> None:
        self.engines = engines
        repository = ("--model-repository", str(DEMO / "models"))
        self._arguments = [*repository, "--engines", str(engines), *USUAL, *arguments]
        self._server = self._started()
        self.proxy = FaultProxy(self._port)

    def __enter__(self) -> Self:
        self.proxy.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.proxy.__exit__(None, None, None)
        self._server.stop()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.proxy.port}"

    @property
    def pid(self) -> int:
        return self._server.process.pid

    def kill(self) -> None:
        """Kills the server; its engines end with it."""
        self._server.process.kill()
        self._server.process.wait()
        self.proxy.reset()

    def restart(self) -> None:
        """Starts the server again, on another port. If it still runs, it is stopped before, as an operator would."""
        self._server.stop()
        self._server = self._started()
        self.proxy.lead_to(self._port)

    def engine_pids(self) -> Sequence[int]:
        """Returns the processes of its engines, which the process that forks them has started."""
        return [engine for fork in children(self.pid) for engine in children(fork)]

    def kill_engine(self, number: int) -> None:
        """Kills one of the engines."""
        pids: Sequence[int] = ()

        def all_run() -> bool:
            nonlocal pids
            pids = self.engine_pids()
            return len(pids) == self.engines

        wait_until(all_run)
        os.kill(pids[number % self.engines], signal.SIGKILL)

    def healthy(self) -> bool:
        """Returns whether it is ready, has all its engines and its store, and owes nothing."""
        try:
            ready = self._get("/readyz").status_code == httpx.codes.OK
            metrics = self._get("/metrics").text
        except httpx.TransportError:
            return False
        up, owed = sum_of_series(metrics, "sequela_store_up"), sum_of_series(metrics, "sequela_store_owed{")
        return ready and up == 1 and owed == 0 and sum_of_series(metrics, ENGINES_UP) == self.engines

    def _get(self, path: str) -> httpx.Response:
        # Without verify, httpx reads all authorities of the system for each request.
        return httpx.get(
            f"http://{self._bound()['http']}{path}", timeout=HEALTH_SECONDS, trust_env=False, verify=False
        )

    def _started(self) -> LocalServer:
        return start_server(self._arguments, START_SECONDS)

    @property
    def _port(self) -> int:
        return int(self._server.address.rpartition(":")[2])

    def _bound(self) -> dict[str, str]:
        bound: dict[str, str] = json.loads(Path(self._server.folder.name, "ready").read_text())
        return bound


def certificate_of(address: str) -> str:
    """Returns the certificate that a server shows; empty if it shows none."""
    host, _, port = address.rpartition(":")
    try:
        return ssl.get_server_certificate((host, int(port)), timeout=HEALTH_SECONDS)
    except OSError:
        return ""
