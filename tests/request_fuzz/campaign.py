"""Sends many random requests, and counts how they end."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

from request_fuzz.case import LATE, NO_ANSWER, Case, size
from request_fuzz.server import Footprint, FuzzedServer, honest_caller, settled

MAX_GROWTH_MB = 64.0
MAX_MORE_FILES = 8
"""The server may open connections of its own and files of its engines."""
MAX_MORE_THREADS = 16
"""gRPC makes threads as it needs them, up to a few for each core."""
TRIES = 400
"""How many smaller cases are tried to minimise one."""
SAME_CHARACTERS = 8
"""Two cases are wrong in the same way if what is said about them begins with the same characters."""
WARM_SHARE = 0.3
"""The share of cases after which the server is warm, so that its memory should grow no further."""
SETTLE_SECONDS = 10.0
"""How long a footprint waits for connections to close, at most; calls leave some open for longer."""


class Door(Protocol):
    """Makes cases and sends them."""

    def case(self, number: int, seed: int) -> Case:
        """Returns one case."""

    def ask(self, case: Case) -> tuple[str, str]:
        """Sends a case. Returns how it ended, and what is wrong with that, or nothing."""

    def smaller(self, case: Case) -> Iterator[Case]:
        """Yields cases with less in them."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A case that should not end as it does: its number, what is wrong, and the case, minimised."""

    number: int
    wrong: str
    case: Case


@dataclass(slots=True)
class Outcomes:
    """How cases ended.

    Attributes:
        counts: How many ended in which way.
        findings: Those that should not end so.
        bugs: Lines of the server's log about unexpected errors.
        before: What the server held once it was warm.
        after: What it held at the end.
        slowest: The longest time until an answer, in seconds, and the number of its case.
        seconds: How long all took.
    """

    before: Footprint
    after: Footprint
    counts: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    bugs: list[str] = field(default_factory=list)
    slowest: tuple[float, int] = (0.0, 0)
    seconds: float = 0.0

    @property
    def flat(self) -> bool:
        """Whether the server has not grown."""
        return (
            self.after.memory_mb < self.before.memory_mb + MAX_GROWTH_MB
            and self.after.files <= self.before.files + MAX_MORE_FILES
            and self.after.threads <= self.before.threads + MAX_MORE_THREADS
        )

    @property
    def harmless(self) -> bool:
        """Whether nothing is wrong with any answer, and the server has not grown."""
        return self.flat and not self.findings and not self.bugs

    def report(self) -> Iterator[str]:
        """Yields the lines of a summary."""
        total = sum(self.counts.values())
        slowest, number = self.slowest
        yield f"{total:,} requests in {self.seconds:,.0f} s; the slowest, case {number}, took {slowest:.2f} s"
        for name, count in self.counts.most_common():
            yield f"{count:9,} {name}"
        before, after = self.before, self.after
        yield f"memory {before.memory_mb:.0f} MB once warm, {after.memory_mb:.0f} MB at the end"
        yield f"open files {before.files} and {after.files}, threads {before.threads} and {after.threads}"
        yield from (f"wrong: case {each.number}: {each.wrong}" for each in self.findings)
        yield from (f"log: {line[:2_000]}" for line in self.bugs)


def run(
    server: FuzzedServer,
    door: Door,
    cases: range,
    seed: int,
    workers: int = 4,
    settle_seconds: float = SETTLE_SECONDS,
) -> Outcomes:
    """Sends cases, while an honest caller sends valid requests.

    Args:
        server: where they are sent.
        door: makes the cases and sends them.
        cases: their numbers.
        seed: of the cases.
        workers: how many send at a time.
        settle_seconds: how long footprints wait for connections to close; 0 where nobody compares them.

    Raises:
        AssertionError: The server has ended, or the honest caller got another answer than at the start.
    """
    start = time.monotonic()
    first = max(int(len(cases) * WARM_SHARE), 1)
    outcomes = Outcomes(server.footprint(), server.footprint())
    with honest_caller(server) as problems:
        _send(door, cases[:first], seed, workers, outcomes, problems)
        outcomes.before = settled(server, outcomes.before.files, settle_seconds)
        _send(door, cases[first:], seed, workers, outcomes, problems)
    _raise(problems)
    server.check()
    outcomes.after = settled(server, outcomes.before.files, settle_seconds)
    outcomes.bugs, outcomes.seconds = server.bugs(), time.monotonic() - start
    return outcomes


def _send(
    door: Door, cases: range, seed: int, workers: int, outcomes: Outcomes, problems: list[BaseException]
) -> None:
    lock = threading.Lock()

    def work(worker: int) -> None:
        try:
            for number in cases[worker::workers]:
                if problems:
                    return
                _try(door, number, seed, outcomes, lock)
        except BaseException as error:
            problems.append(error)

    with ThreadPoolExecutor(workers) as threads:
        list(threads.map(work, range(workers)))
    _raise(problems)


def _raise(problems: list[BaseException]) -> None:
    if problems:
        raise problems[0]


def _try(door: Door, number: int, seed: int, outcomes: Outcomes, lock: threading.Lock) -> None:
    case = door.case(number, seed)
    start = time.monotonic()
    ending, wrong = door.ask(case)
    took = time.monotonic() - start
    with lock:
        outcomes.counts[ending] += 1
        outcomes.slowest = max(outcomes.slowest, (took, number))
    if wrong:
        found = Finding(number, wrong, minimised(door, case, wrong))
        with lock:
            outcomes.findings.append(found)


def minimised(door: Door, case: Case, wrong: str) -> Case:
    """Returns the smallest case found within a number of tries that is wrong in the same way.

    A case that got no answer is returned as it is, because each try would take as long again.
    """
    if wrong in (NO_ANSWER, LATE):
        return case
    tries = iter(range(TRIES))
    while True:
        candidates = (less for less, _ in zip(door.smaller(case), tries, strict=False))
        found = next((less for less in candidates if _as_wrong(door, less, case, wrong)), None)
        if found is None:
            return case
        case = found


def _as_wrong(door: Door, less: Case, case: Case, wrong: str) -> bool:
    """Returns whether a case is smaller than another one and wrong in the same way."""
    return size(less) < size(case) and door.ask(less)[1][:SAME_CHARACTERS] == wrong[:SAME_CHARACTERS]
