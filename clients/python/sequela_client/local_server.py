"""A server on a free port of this machine, which ends at the latest with the process that started it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from sequela_client.errors import CallerError, DeadlineExceeded, OperatorError

# How long a server may take to start, in seconds; loading a large model repository may take longer than usual.
START_SECONDS = 60.0
_STOP_SECONDS = 10.0
# Free ports. Nobody else uses the server, so it need not wait for clients before it stops, one process is enough, and
# its answers need not become rougher while it is busy.
_OWN = (
    *("--host", "127.0.0.1", "--port", "0", "--http-port", "0", "--drain-delay", "0", "--engines", "0"),
    "--no-brownout",
)
# Some of the packages that the extra `service` installs.
_NEEDED = ("grpc_health", "grpc_reflection", "onnx", "onnxruntime", "pydantic_settings", "uvicorn")
_LAST_LINES = 4
# Nobody looks for the explanations after the server has stopped, so it leaves no file behind.
_STORE = ("--store", "memory:")

Setting = str | os.PathLike[str] | int | float | bool | None
"""The value of a setting of the server; None leaves it at its default."""


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A server that this process has started.

    Args:
        address: where it listens, `host:port`.
        process: the server; when its standard input is closed, it stops.
        folder: its scratch folder, with its log.
        owner: the process that started it. A copy of that process, made by a fork, must not stop the server.
    """

    address: str
    process: subprocess.Popen[bytes]
    folder: tempfile.TemporaryDirectory[str]
    owner: int

    def stop(self) -> None:
        """Stops the server and waits until it has ended. It may be called again."""
        if os.getpid() == self.owner:
            _stop(self.process)
            self.folder.cleanup()


def server_package() -> Path:
    """The folder of the server's package.

    Raises:
        CallerError: the package or one of its dependencies is not installed.
    """
    found = find_spec("sequela")
    if found is None or not found.submodule_search_locations or not all(map(find_spec, _NEEDED)):
        raise CallerError(
            "the service is not installed; run pip install '.[service]' in a clone of the repository, or name the "
            "address of a running server (--server)",
            reason="EXTRA_NOT_INSTALLED",
        )
    return Path(next(iter(found.submodule_search_locations)))


def server_command(arguments: Iterable[str]) -> list[str]:
    """The command line that starts the server. -P: no module is imported from the current folder.

    The server stops when its standard input is closed.
    """
    return [sys.executable, "-P", str(Path(__file__).with_name("supervised_server.py")), *arguments]


def setting_arguments(settings: Mapping[str, Setting]) -> list[str]:
    """Settings by name as arguments of the server: `max_events=100` is `--max-events 100`, and False a `--no-` flag."""
    arguments: list[str] = []
    for name, value in settings.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            arguments.append(f"--{flag}" if value else f"--no-{flag}")
        elif value is not None:
            arguments += [f"--{flag}", str(value)]
    return arguments


def start_server(arguments: Sequence[str] = (), timeout: float = START_SECONDS) -> LocalServer:
    """Starts a server and waits until it is ready. It ends with this process at the latest, even if that is killed.

    Args:
        arguments: further arguments of the server.
        timeout: how long the start may take, in seconds.

    Raises:
        CallerError: the service is not installed.
        OperatorError: the server did not start (the error has the end of its log), or there is no folder for its log.
        DeadlineExceeded: the server was not ready in time.
    """
    server_package()
    folder = _scratch()
    ready, log = Path(folder.name, "ready"), Path(folder.name, "log")
    store = () if any(map(_names_store, arguments)) else _STORE
    command = server_command([*_OWN, "--ready-file", str(ready), *store, *arguments])
    with log.open("wb") as output:
        # Closing the pipe tells the server to stop, and the system closes it when this process ends, however it ends.
        # In a session of its own the server does not get the interrupts that a notebook or Ctrl-C sends to a cell.
        process = subprocess.Popen(  # noqa: S603 our own server
            command, stdin=subprocess.PIPE, stdout=output, stderr=output, start_new_session=True
        )
    try:
        return LocalServer(_address(process, ready, log, timeout), process, folder, os.getpid())
    except BaseException:
        _stop(process)
        folder.cleanup()
        raise


@contextmanager
def embedded_server(arguments: Sequence[str] = ()) -> Iterator[str]:
    """Starts a server as `start_server` does, yields its address, and stops it afterwards."""
    server = start_server(arguments)
    try:
        yield server.address
    finally:
        server.stop()


def _scratch() -> tempfile.TemporaryDirectory[str]:
    """A folder for the server's log and for the file that says it is ready."""
    try:
        return tempfile.TemporaryDirectory(prefix="sequela-", ignore_cleanup_errors=True)
    except OSError as error:
        raise OperatorError(
            f"a local server needs a folder for its log: {error}; set TMPDIR to a folder, or name a running server "
            "with --server"
        ) from error


def _names_store(argument: str) -> bool:
    return argument.partition("=")[0] in ("--store", "--redis-url")


def _address(server: subprocess.Popen[bytes], ready: Path, log: Path, timeout: float) -> str:
    give_up = time.monotonic() + timeout
    # The server writes the file when it is ready; a poll of 20 ms is short beside its start.
    while time.monotonic() < give_up:
        if ready.is_file():
            return str(json.loads(ready.read_text())["grpc"])
        if server.poll() is not None:
            raise OperatorError(f"the server stopped with code {server.returncode}: {_why(log)}")
        time.sleep(0.02)
    raise DeadlineExceeded(f"the server was not ready after {timeout:g} s")


def _why(log: Path) -> str:
    """What the last lines of a log say, on one line, as all errors of the command are."""
    lines = log.read_text(errors="replace").strip().split("\n")
    with suppress(ValueError, KeyError, TypeError):  # the last line may be no JSON
        return str(json.loads(lines[-1])["detail"])
    return " ".join(lines[-_LAST_LINES:])


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    if server.stdin:
        server.stdin.close()
