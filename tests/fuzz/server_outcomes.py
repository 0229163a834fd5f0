"""What becomes of many damaged models that a server is given."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

LIMIT_SECONDS = 2.0
PROMISED_SECONDS = 1.0
"""How much longer than its limit a call may take."""
MAX_GROWTH_MB = 30.0

T = TypeVar("T")


@dataclass(slots=True)
class ServerOutcomes:
    """Counts, of all models together.

    Attributes:
        allowed_seconds: How long a call may take.
        counts: How many ended in an answer, and how many in which reason.
        wrong: The number and name of each case whose answer was wrong or whose error has no reason, and what it said.
        compared: How many answers had the score that onnxruntime alone gives.
        slowest: The longest call, in seconds.
        late: How many calls took longer than allowed.
        memory_growth_mb: How much the server's own process has grown after a tenth of the cases.
        honest: How many explanations of a harmless model were answered meanwhile.
        failures: Why the others were not.
        seconds: How long all took.
    """

    allowed_seconds: float = LIMIT_SECONDS + PROMISED_SECONDS
    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[tuple[int, str, str]] = field(default_factory=list)
    compared: int = 0
    slowest: float = 0.0
    late: int = 0
    memory_growth_mb: float = 0.0
    honest: int = 0
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def harmless(self) -> bool:
        """Whether each model got a right answer or a reason in time, and neither others nor the server suffered."""
        flat = self.memory_growth_mb < MAX_GROWTH_MB
        return flat and self.honest > 0 and not (self.wrong or self.late or self.failures)

    def timed(self, call: Callable[[], T]) -> T:
        """Makes a call, and notes how long it took."""
        start = time.monotonic()
        try:
            return call()
        finally:
            took = time.monotonic() - start
            with self._lock:
                self.slowest = max(self.slowest, took)
                self.late += took > self.allowed_seconds

    def add(self, number: int, name: str, ending: str, problem: str, compared: bool = False) -> None:
        """Counts the end of a case."""
        with self._lock:
            self.counts[ending] += 1
            self.compared += compared
            if problem:
                self.wrong.append((number, name, problem))

    def report(self) -> Iterator[str]:
        """Yields the lines of a summary."""
        yield f"{sum(self.counts.values()):,} models in {self.seconds:,.0f} s"
        for name, number in self.counts.most_common():
            yield f"{number:9,} {name}"
        yield f"{self.compared:,} answers have the score that onnxruntime alone gives"
        yield f"slowest call {self.slowest:.2f} s; {self.late} took longer than {self.allowed_seconds:.1f} s"
        yield f"server: memory {self.memory_growth_mb:+.1f} MB"
        yield f"honest calls meanwhile: {self.honest:,} answered, {len(self.failures)} failed"
        yield from (f"failed: {each}" for each in self.failures[:10])
        yield from (f"wrong: {each}" for each in self.wrong[:20])
