"""A server of a given version, in a process of its own that is bound to given cores."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.alerts.versions import Version

LAUNCH = Path(__file__).with_name("launch.py")
SUPERVISED = Path("clients", "python", "sequela_client", "supervised_server.py")
START_SECONDS = 60.0  # how long a server may take to start
STOP_SECONDS = 15.0
LAST_LINES = 4  # of the log, in the message about a server that did not start
OWN = ("--host", "127.0.0.1", "--port", "0", "--http-port", "0", "--drain-delay", "0")


@dataclass(frozen=True, slots=True)
class VersionServer:
    """A running server.

    Args:
        version: the version that its process has imported.
        grpc: its address, `host:port`.
        http: its address for metrics, `host:port`.
        pid: the id of its process.
    """

    version: Version
    grpc: str
    http: str
    pid: int


@contextmanager
def bound_to(cores: Collection[int]) -> Iterator[None]:
    """Binds this thread, and the threads and processes that it starts meanwhile, to the cores."""
    usual = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, usual)


@contextmanager
def version_server(
    version: Version, arguments: Sequence[str], cores: Collection[int], folder: Path
) -> Iterator[VersionServer]:
    """Starts a server and stops it afterwards. Apart from the arguments it has default settings, and an empty store.

    Raises:
        RuntimeError: it did not start, or its process imported another version.
    """
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        files = Path(scratch)
        process = _start(version, arguments, cores, files)
        try:
            addresses = _addresses(process, files)
            check_packages(version, json.loads((files / "packages.json").read_text()))
            yield VersionServer(version, addresses["grpc"], addresses["http"], process.pid)
        finally:
            _stop(process)


def check_packages(version: Version, files: Mapping[str, str]) -> None:
    """Raises RuntimeError if a package comes from a file that does not belong to the version."""
    for name, file in files.items():
        if not Path(file).resolve().is_relative_to(version.root.resolve()):
            raise RuntimeError(
                f"the server of version {version.name} imported {name} from {file}, which is not in {version.root}"
            )


def _start(
    version: Version, arguments: Sequence[str], cores: Collection[int], files: Path
) -> subprocess.Popen[bytes]:
    own = (
        *OWN,
        *version.arguments,
        "--store",
        str(files / "store.db"),
        "--ready-file",
        str(files / "ready.json"),
    )
    program = (str(LAUNCH), str(files / "packages.json"), str(version.root / SUPERVISED))
    with bound_to(cores), (files / "log").open("wb") as log:
        # The server stops when its standard input is closed, so that it never outlives this process.
        return subprocess.Popen(
            [sys.executable, "-P", *program, *own, *arguments],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=os.environ | {"PYTHONPATH": version.python_path},
        )


def _addresses(process: subprocess.Popen[bytes], files: Path) -> dict[str, str]:
    give_up = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < give_up:
        if (files / "ready.json").is_file():
            found: dict[str, str] = json.loads((files / "ready.json").read_text())
            return found
        time.sleep(0.02)
    lines = (files / "log").read_text(errors="replace").strip().splitlines()[-LAST_LINES:]
    raise RuntimeError(f"the server was not ready after {START_SECONDS:g} s, or stopped: {' '.join(lines)}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdin:
        process.stdin.close()
