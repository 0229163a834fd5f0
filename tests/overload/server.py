"""The server that is measured: a process with engines, and clients that it knows by their tokens."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from credential_files import token_line
from demo_alert import DEMO
from grpc_health.v1 import health_pb2, health_pb2_grpc
from repeated_calls import repeating
from sequela_client.local_server import start_server

from benchmarks.processes import children, tree_cpu_seconds
from overload.calls import CallOutcome, PlannedCall, outcomes_from_json, to_json
from overload.footprint import footprint
from overload.generator import READY
from overload.workload import ALERTS

TESTS = Path(__file__).parents[1]
PROBE_SECONDS = 0.1
WARM_UP_CALLS = 8 * ALERTS


@dataclass(frozen=True, slots=True)
class ProcessorSeconds:
    """The processor time that a server has used: its own process, and its engines."""

    server: float
    engines: float


@dataclass(frozen=True, slots=True)
class MeasuredServer:
    """A running server: its address, and the id of its process."""

    address: str
    pid: int

    def send(self, *arguments: str) -> list[CallOutcome]:
        """Lets a generator send calls (`overload.generator`), and returns what became of them."""
        return self._send([arguments])

    def warm_up(self, client: str) -> None:
        """Lets the engines work out what they keep for all alerts. However long that takes, nobody measures it."""
        self.send("first", str(WARM_UP_CALLS), client)

    def send_plan(self, plan: Sequence[PlannedCall], generators: int = 1) -> list[CallOutcome]:
        """Lets some generators, in a process each, send these calls at their times."""
        with tempfile.TemporaryDirectory() as folder:
            files = [Path(folder, f"{number}.json") for number in range(generators)]
            for number, file in enumerate(files):
                file.write_text(to_json(plan[number::generators]))
            return self._send([("open", str(file)) for file in files])

    def _send(self, kinds: Sequence[Sequence[str]]) -> list[CallOutcome]:
        base = (sys.executable, "-m", "overload.generator", self.address)
        with ExitStack() as processes:
            started = [
                processes.enter_context(
                    subprocess.Popen(
                        [*base, *kind],
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        text=True,
                        cwd=TESTS,
                        env=os.environ | {"PYTHONPATH": str(TESTS.parent)},
                    )
                )
                for kind in kinds
            ]
            pipes = [(each.stdin, each.stdout) for each in started]
            for _, output in pipes:
                if output is None or output.readline() != READY:
                    raise RuntimeError("a generator did not start")
            start = time.monotonic() + 0.1
            for given, _ in pipes:
                if given:
                    given.write(f"{start}\n")
                    given.flush()
            texts = [output.read() for _, output in pipes if output]
        return [each for text in texts for each in outcomes_from_json(text)]

    def processor_seconds(self) -> ProcessorSeconds:
        """Returns the processor time so far."""
        engines = sum(map(tree_cpu_seconds, children(self.pid)))
        return ProcessorSeconds(max(tree_cpu_seconds(self.pid) - engines, 0.0), engines)

    @property
    def memory_mb(self) -> float:
        """The memory of the server and its engines that is no part of a file: the store's file fills the page cache."""
        return footprint(self.pid).own_mb


@contextmanager
def measured_server(clients: Sequence[str], *arguments: str) -> Iterator[MeasuredServer]:
    """Starts a server that knows these clients. A client's token is its name."""
    with tempfile.TemporaryDirectory() as folder:
        tokens = Path(folder, "tokens")
        tokens.write_text("".join(token_line(each, each, "explain") for each in clients))
        repository = ("--model-repository", str(DEMO / "models"), "--tokens", str(tokens))
        engines = ("--log-level", "warning", "--engines", "2", "--brownout")
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
    probes = Probes()
    with grpc.insecure_channel(server.address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)

        def ask() -> None:
            started = time.monotonic()
            stub.Check(health_pb2.HealthCheckRequest(), timeout=60)
            probes.seconds.append(time.monotonic() - started)
            if len(probes.seconds) % 10 == 1:
                probes.memory_mb.append(server.memory_mb)

        with repeating(ask, PROBE_SECONDS):
            yield probes
