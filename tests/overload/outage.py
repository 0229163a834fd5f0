"""Redis is down for a while under load: whether every explanation that was answered is there afterwards."""

from __future__ import annotations

import itertools
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from end_to_end.test_redis_outage import GRU, kept, models
from redis_server import RedisServer, running
from sequela_client import Retries, Sequela, SequelaError
from sequela_client.local_server import start_server
from waiting import eventually

CALLERS = 8
RATE = 10.0
"""Calls a second of all callers together: what a machine can answer that does something else meanwhile."""
PAYING_SECONDS = 600.0
"""How long the server may take to send what it owes."""


@dataclass(slots=True)
class OutageFigures:
    """What became of the calls.

    Attributes:
        seconds: How long Redis was down.
        names: The explanations that were answered.
        failures: Why calls failed.
        before: How many were answered before Redis was down.
        missing: How many of those that were answered are not in Redis afterwards.
        paying_seconds: How long it took after the end of the outage until all were there.
    """

    seconds: float
    names: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    before: int = 0
    missing: int = 0
    paying_seconds: float = 0.0

    @property
    def faults(self) -> int:
        """How many calls failed, and how many explanations were lost."""
        return len(self.failures) + self.missing

    def rows(self) -> list[tuple[str, str, str]]:
        """Returns what was measured, what must be, and what was found."""
        return [
            (f"Redis down for {self.seconds:.0f} s: answered", "", f"{len(self.names) - self.before:,}"),
            ("  failed", "0", str(len(self.failures))),
            ("  answered and not kept", "0", str(self.missing)),
            ("  all were sent after", "", f"{self.paying_seconds:.1f} s"),
        ]


def measure(seconds: float, rate: float = RATE) -> OutageFigures:
    """Stops Redis while callers ask, starts it empty, and looks for what was answered meanwhile."""
    found = OutageFigures(seconds)
    with (
        tempfile.TemporaryDirectory() as folder,
        contextmanager(running)() as redis,
        _server(redis, Path(folder)) as address,
        Sequela(address, retries=Retries(attempts=1)) as sequela,
    ):
        with _asking(sequela, rate, found):
            eventually(lambda: len(found.names) > 2 * CALLERS, PAYING_SECONDS)
            redis.stop()
            # One call of each caller may still have been kept by then.
            found.before = len(found.names) + CALLERS
            time.sleep(seconds)
            redis.start()
        _await_all(redis, found)
    return found


@contextmanager
def _server(redis: RedisServer, folder: Path) -> Iterator[str]:
    options = {
        "--store": redis.url,
        "--outbox-folder": str(folder / "outbox"),
        "--model-repository": str(models(folder)),
    }
    server = start_server([*itertools.chain(*options.items())])
    try:
        yield server.address
    finally:
        server.stop()


def _await_all(redis: RedisServer, found: OutageFigures) -> None:
    start, wanted = time.monotonic(), set(found.names[found.before :])
    while True:
        missing = wanted - set(kept(redis))
        found.missing, found.paying_seconds = len(missing), time.monotonic() - start
        if not missing or found.paying_seconds > PAYING_SECONDS:
            return
        time.sleep(1)


@contextmanager
def _asking(sequela: Sequela, rate: float, found: OutageFigures) -> Iterator[None]:
    over = threading.Event()

    def ask(first: int) -> None:
        for seed in itertools.count(first, CALLERS):
            if over.wait(CALLERS / rate):
                return
            try:
                given = {"model": "gru", "background": GRU.average(), "seed": seed}
                found.names.append(sequela.explain(GRU.sample(12), **given).name)
            except SequelaError as error:
                found.failures.append(f"{type(error).__name__}: {error}")

    callers = [threading.Thread(target=ask, args=(first,)) for first in range(CALLERS)]
    for caller in callers:
        caller.start()
    try:
        yield
    finally:
        over.set()
        for caller in callers:
            caller.join()
