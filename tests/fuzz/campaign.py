"""Runs many random models in engines, and counts what becomes of them."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from engines.pools_of_engines import SANDBOXED, Listener, open_files, running, upper
from repeated_calls import repeating
from sequela.concurrency.deadline import Deadline
from sequela.engines.exits import EngineLost
from sequela.engines.pool import EnginePool
from sequela.errors import OutOfTime

LIMITS = replace(SANDBOXED, memory_bytes=400 << 20, cpu_seconds_per_task=30.0)
LIMIT_SECONDS = 2.0
CASES_OF_ONE_ENGINE = 250
NAMED = {"ENGINE_CRASHED", "ENGINE_KILLED", "ENGINE_OUT_OF_MEMORY", "ENGINE_ANSWER_INVALID"}
ALLOWED_SECONDS = LIMIT_SECONDS + LIMITS.grace_seconds + 1.0
MAX_GROWTH = 30e6  # bytes of the front's memory
CLOSING_SECONDS = 30.0
HONEST_PAUSE_SECONDS = 0.05
# A place that was empty at the first count may have an engine at the second: two sockets and its process.
FILES_OF_AN_ENGINE = 3
PAGE = os.sysconf("SC_PAGESIZE")

Case = Callable[[int, int], tuple[str, bytes]]


@dataclass(slots=True)
class Outcomes:
    """What became of the cases.

    Attributes:
        counts: How many ended in which way: a result, an error of the runtime, the reason of an engine's end.
        ends: For each engine that ended, the case, its name, and why.
        slowest: The longest time until a caller had its answer, in seconds.
        memory_growth: By how many bytes the front's memory has grown, from a tenth of the cases to the end.
        file_growth: By how many its open files have.
        seconds: How long all took.
        honest: How many calls of an honest model were answered meanwhile.
        allowed_seconds: How long a caller may wait for its answer.
    """

    counts: Counter[str] = field(default_factory=Counter)
    ends: list[tuple[int, str, str]] = field(default_factory=list)
    slowest: float = 0.0
    memory_growth: int = 0
    file_growth: int = 0
    seconds: float = 0.0
    honest: int = 0
    allowed_seconds: float = ALLOWED_SECONDS

    @property
    def late(self) -> int:
        """How many cases were not run, because no engine had started in time."""
        return sum(count for ending, count in self.counts.items() if ending.startswith("DEADLINE"))

    @property
    def harmless(self) -> bool:
        """Whether all callers had their answers in time, and the front has not grown."""
        flat = self.memory_growth < MAX_GROWTH and self.file_growth <= FILES_OF_AN_ENGINE
        return flat and self.slowest < self.allowed_seconds

    def report(self) -> Iterator[str]:
        """Yields the lines of a summary."""
        total = sum(self.counts.values())
        yield f"{total:,} cases in {self.seconds:,.0f} s, {len(self.ends):,} ended their engine"
        for name, count in self.counts.most_common():
            yield f"{count:9,} {name}"
        yield f"slowest {self.slowest:.2f} s of {self.allowed_seconds:.1f} s allowed"
        yield f"front: memory {self.memory_growth / 1e6:+.1f} MB, open files {self.file_growth:+d}"
        yield f"honest calls meanwhile: {self.honest:,}, none failed"
        for name, count in Counter(f"{name}: {detail}" for _, name, detail in self.ends).most_common():
            yield f"{count:9,} {name}"


def run(
    case: Case,
    cases: int,
    seed: int,
    workers: int = 2,
    first: int = 0,
    allowed_seconds: float = ALLOWED_SECONDS,
) -> Outcomes:
    """Runs cases in as many engines as there are workers, while an honest caller uses another one.

    Raises:
        AssertionError: A caller got no named error, or none in time, or the honest caller was disturbed.
    """
    outcomes = Outcomes(allowed_seconds=allowed_seconds)
    start = time.monotonic()
    numbers = range(first, first + cases)
    with (
        running("model_engine", workers + 1, LIMITS, Listener()) as pool,
        repeating(lambda: _ask(pool, outcomes), HONEST_PAUSE_SECONDS),
    ):
        for part in (numbers[: cases // 10], numbers[cases // 10 :]):
            before = resident_bytes(), open_files()
            _work(pool, case, seed, part, workers, outcomes)
        outcomes.memory_growth = resident_bytes() - before[0]
        # Files of engines that have just ended are closed a moment later.
        until = time.monotonic() + CLOSING_SECONDS
        while open_files() > before[1] + FILES_OF_AN_ENGINE and time.monotonic() < until:
            time.sleep(0.05)
        outcomes.file_growth = open_files() - before[1]
    assert outcomes.honest, "the honest caller got no answer"
    outcomes.seconds = time.monotonic() - start
    return outcomes


def _ask(pool: EnginePool, outcomes: Outcomes) -> None:
    if pool.call(b"1\nno model", Deadline(60), upper, "honest").startswith(b"InvalidProtobuf"):
        outcomes.honest += 1


def _work(pool: EnginePool, case: Case, seed: int, cases: range, workers: int, outcomes: Outcomes) -> None:
    lock = threading.Lock()

    def work(worker: int) -> None:
        for number in cases[worker::workers]:
            _try(pool, case, seed, number, f"{worker}-{number // CASES_OF_ONE_ENGINE}", outcomes, lock)

    with ThreadPoolExecutor(workers) as threads:
        list(threads.map(work, range(workers)))


def _try(
    pool: EnginePool,
    case: Case,
    seed: int,
    number: int,
    affinity: str,
    outcomes: Outcomes,
    lock: threading.Lock,
) -> None:
    name, content = case(number, seed)
    start = time.monotonic()
    ends = []
    try:
        result = pool.call(b"%d\n" % number + content, Deadline(LIMIT_SECONDS), upper, affinity)
        ending = _kind(result.decode(errors="replace"))
    except OutOfTime as late:  # before its engine had started, on a busy machine
        ending = late.reason
    except EngineLost as lost:
        ending = lost.reason if lost.reason in NAMED else _unexpected(lost)
        ends = [(number, name, lost.exit.detail)]
    took = time.monotonic() - start
    with lock:
        outcomes.counts[ending] += 1
        outcomes.ends += ends
        outcomes.slowest = max(outcomes.slowest, took)


def _kind(result: str) -> str:
    if result.startswith("ran "):
        return "ran on no input" if result == "ran 0" else "ran"
    return "error " + result.partition(":")[0]


def _unexpected(lost: EngineLost) -> str:
    raise AssertionError(f"an error without a known reason: {lost.reason}") from lost


def resident_bytes() -> int:
    """The memory that this process really has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE
