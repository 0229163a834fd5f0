"""The server that gets the requests, in a process of its own, so that a crash is seen."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import grpc
from api.inference_calls import our_inputs
from matrix import BY_NAME, copy_models
from repeated_calls import repeating
from sequela_client.local_server import LocalServer, start_server
from sequela_proto.v1 import sequela_pb2 as pb
from sequela_proto.v1 import sequela_pb2_grpc as rpc
from waiting import PATIENCE

from benchmarks.processes import resident_mb
from request_fuzz.rpc_seeds import MODEL, NAME, NAMED, honest_question, question

BUG = '"unexpected error"'
"""What the log says of an error that the code does not expect."""
SETTINGS = (
    *("--log-level", "error", "--upload-engines", "1", "--model-cache-models", "8"),
    *("--max-design-bytes", str(8 << 20), "--store-bytes", str(16 << 20), "--cache-bytes", str(2 << 20)),
)
"""Caches are small, so that they are full soon and the memory should not grow after that."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a process holds: memory in MB, open files, threads."""

    memory_mb: float
    files: int
    threads: int


class FuzzedServer:
    """A running server with one model in its repository."""

    def __init__(self, process: LocalServer) -> None:
        self._process = process
        bound = json.loads(Path(process.folder.name, "ready").read_text())
        self.grpc: str = bound["grpc"]
        self.http: str = bound["http"]
        self._channel = grpc.insecure_channel(self.grpc)
        self._explanations = rpc.ExplanationServiceStub(self._channel)
        self._expected = self._values()

    def check(self) -> None:
        """Sends a valid request. Raises AssertionError unless the answer is the same as at the start."""
        assert self._process.process.poll() is None, f"the server has ended: {self.log[-2_000:]}"
        assert self._values() == self._expected

    def _values(self) -> list[list[float]]:
        found = self._explanations.Explain(honest_question(), timeout=PATIENCE).explanation
        return [list(each.values) for each in found.event_level.attributions]

    def prepare(self) -> None:
        """Stores what valid requests refer to, since other requests may have changed or deleted it."""
        backgrounds = rpc.BackgroundServiceStub(self._channel)
        header = pb.CreateBackgroundHeader(name=NAME, model=NAMED)
        values = pb.BackgroundValues(inputs=our_inputs(BY_NAME[MODEL].average()))
        parts = [pb.CreateBackgroundRequest(header=header), pb.CreateBackgroundRequest(values=values)]
        with suppress(grpc.RpcError):  # others create and delete it meanwhile
            backgrounds.DeleteBackground(pb.DeleteBackgroundRequest(name=NAME), timeout=PATIENCE)
        with suppress(grpc.RpcError):
            backgrounds.CreateBackground(iter(parts), timeout=PATIENCE)
            self._explanations.Explain(question(caller_id="alert-1"), timeout=PATIENCE)

    @property
    def log(self) -> str:
        """What the server has logged."""
        return Path(self._process.folder.name, "log").read_text(errors="replace")

    def bugs(self) -> list[str]:
        """Returns the lines of the log about unexpected errors."""
        return [line for line in self.log.splitlines() if BUG in line or line.startswith("Traceback")]

    def footprint(self) -> Footprint:
        """Returns what the process holds now."""
        pid = self._process.process.pid
        return Footprint(
            resident_mb(pid), len(os.listdir(f"/proc/{pid}/fd")), len(os.listdir(f"/proc/{pid}/task"))
        )

    def close(self) -> None:
        """Stops the server."""
        self._channel.close()
        self._process.stop()


@contextmanager
def fuzzed_server(*arguments: str) -> Iterator[FuzzedServer]:
    """Starts a server, and stops it afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        root = copy_models(Path(folder), [MODEL])
        server = FuzzedServer(start_server(["--model-repository", str(root), *SETTINGS, *arguments]))
        try:
            server.prepare()
            yield server
        finally:
            server.close()


@contextmanager
def honest_caller(server: FuzzedServer, every_seconds: float = 1.0) -> Iterator[list[BaseException]]:
    """Sends valid requests all the while. Yields a list of what went wrong."""
    problems: list[BaseException] = []

    def ask() -> None:
        if problems:
            return
        try:
            server.check()
            server.prepare()
        except BaseException as error:
            problems.append(error)

    with repeating(ask, every_seconds):
        yield problems


def settled(server: FuzzedServer, most_files: int, seconds: float) -> Footprint:
    """Returns what the process holds once closed connections are gone, but after these seconds at the latest."""
    until = time.monotonic() + seconds
    while (found := server.footprint()).files > most_files and time.monotonic() < until:
        time.sleep(0.1)
    return found
