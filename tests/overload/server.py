"""The server that is measured: a process with engines, and clients that it knows by their tokens."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from credential_files import token_line
from grpc_health.v1 import health_pb2, health_pb2_grpc
from sequela_client.local_server import start_server

from benchmarks.processes import children, resident_mb
from overload.calls import CallOutcome, PlannedCall, outcomes_from_json, to_json
from overload.workload import DEMO

TESTS = Path(__file__).parents[1]
PROBE_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class MeasuredServer:
    """A running server: its address, and the id of its process."""

    address: str
    pid: int

    def send(self, *arguments: str) -> list[CallOutcome]:
        """Lets a generator send calls (`overload.generator`), and returns what became of them."""
        command = [sys.executable, "-m", "overload.generator", self.address, *arguments]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=TESTS)
        return outcomes_from_json(done.stdout)

    def send_plan(self, plan: Sequence[PlannedCall]) -> list[CallOutcome]:
        """Lets a generator send these calls at their times."""
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            file.write(to_json(plan))
            file.flush()
            return self.send("open", file.name)

    @property
    def memory_mb(self) -> float:
        """The memory of the server and its engines."""
        waiting, total = [self.pid], 0.0
        while waiting:
            pid = waiting.pop()
            try:
                total += resident_mb(pid)
            except (FileNotFoundError, ProcessLookupError, StopIteration):
                continue
            waiting += children(pid)
        return total


@contextmanager
def measured_server(clients: Sequence[str], *arguments: str) -> Iterator[MeasuredServer]:
    """Starts a server that knows these clients. A client's token is its name."""
    with tempfile.TemporaryDirectory() as folder:
        tokens = Path(folder, "tokens")
        tokens.write_text("".join(token_line(each, each, "explain") for each in clients))
        repository = ("--model-repository", str(DEMO / "models"), "--tokens", str(tokens))
        # Each call has a seed of its own, so designs that are kept serve no other call, and would only fill memory.
        engines = (
            "--log-level",
            "warning",
            "--engines",
            "2",
            "--brownout",
            "--max-design-bytes",
            str(16 << 20),
        )
        server = start_server([*repository, *engines, *arguments])
        try:
            yield MeasuredServer(server.address, server.process.pid)
        finally:
            server.stop()


@dataclass(slots=True)
class Probes:
    """How long health checks took, in seconds, and how much memory the server had meanwhile, in MB."""

    seconds: list[float] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)


@contextmanager
def probing(server: MeasuredServer) -> Iterator[Probes]:
    """Asks the server for its health every tenth of a second, while the context is open."""
    probes, over = Probes(), threading.Event()

    def ask() -> None:
        with grpc.insecure_channel(server.address) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            while not over.wait(PROBE_SECONDS):
                started = time.monotonic()
                stub.Check(health_pb2.HealthCheckRequest(), timeout=10)
                probes.seconds.append(time.monotonic() - started)
                if len(probes.seconds) % 10 == 1:
                    probes.memory_mb.append(server.memory_mb)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield probes
    finally:
        over.set()
        thread.join()
