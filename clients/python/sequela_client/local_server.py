"""A server that runs as long as a command does, on a free port of this machine."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sequela_client.cli.serve import server_command, server_package
from sequela_client.cli.terminal import waiting
from sequela_client.errors import DeadlineExceeded, OperatorError

_START_SECONDS = 60.0
_STOP_SECONDS = 10.0
# Free ports. Nobody else uses the server, so it need not wait for clients before it stops.
_OWN = ("--host", "127.0.0.1", "--port", "0", "--http-port", "0", "--drain-delay", "0")


@contextmanager
def embedded_server(arguments: Sequence[str] = ()) -> Iterator[str]:
    """Starts a server, yields its address once it is ready, and stops it afterwards.

    Args:
        arguments: further arguments of the server.

    Raises:
        OperatorError: the server did not start (the error has the end of its log), or there is no folder for its log.
        DeadlineExceeded: the server was not ready in time.
    """
    server_package()
    with _scratch() as folder:
        ready, log = Path(folder, "ready"), Path(folder, "log")
        command = server_command([*_OWN, "--ready-file", str(ready), *arguments])
        with log.open("wb") as output:
            server = subprocess.Popen(command, stdout=output, stderr=output)  # noqa: S603 our own server
        try:
            with waiting("starting a server"):
                address = _address(server, ready, log)
            yield address
        finally:
            _stop(server)


def _scratch() -> tempfile.TemporaryDirectory[str]:
    """A folder for the server's log and for the file that says it is ready."""
    try:
        return tempfile.TemporaryDirectory(prefix="sequela-", ignore_cleanup_errors=True)
    except OSError as error:
        raise OperatorError(
            f"a server that the command starts needs a folder for its log: {error}; set TMPDIR to a folder, or name a "
            "running server with --server"
        ) from error


def _address(server: subprocess.Popen[bytes], ready: Path, log: Path) -> str:
    give_up = time.monotonic() + _START_SECONDS
    # The server writes the file when it is ready; a poll of 20 ms is short beside its start.
    while time.monotonic() < give_up:
        if ready.is_file():
            return str(json.loads(ready.read_text())["grpc"])
        if server.poll() is not None:
            # The end of the log says why; it is one line, as all errors of the command.
            last = " ".join(log.read_text(errors="replace").split("\n")[-4:])
            raise OperatorError(f"the server stopped with code {server.returncode}: {last}")
        time.sleep(0.02)
    raise DeadlineExceeded(f"the server was not ready after {_START_SECONDS:g} s")


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
