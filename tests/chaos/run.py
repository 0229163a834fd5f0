"""Lets incidents happen under steady load, and finds out afterwards what was lost, wrong or failed."""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from chaos.failover import failover_installation
from chaos.installation import Installation
from chaos.load import Answer, Load
from chaos.questions import ask_all, fetch_all
from chaos.redis_incidents import redis_installation
from chaos.replica import Replica, wait_until
from chaos.server_incidents import certificate_installation, engine_installation, replica_installation

INSTALLATIONS: Mapping[str, Callable[[Path], AbstractContextManager[Installation]]] = {
    "redis-killed": redis_installation,
    "redis-frozen": redis_installation,
    "redis-slow": redis_installation,
    "redis-full": redis_installation,
    "redis-failover": failover_installation,
    "engine-killed": engine_installation,
    "replica-killed": replica_installation,
    "rolling-restart": replica_installation,
    "certificates-rotated": certificate_installation,
}
"""What can happen, and the servers to which it can happen."""
WARM_ANSWERS = 5


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long it takes: all of it, each incident, and the quiet time before each. Times are in seconds."""

    seconds: float
    incident_seconds: float = 4.0
    quiet_seconds: float = 6.0


@dataclass(frozen=True, slots=True)
class Event:
    """An incident: its name, when it began and ended, and how many seconds later all was as before."""

    name: str
    began: float
    ended: float
    recovery_seconds: float


@dataclass(frozen=True, slots=True)
class ChaosFigures:
    """What became of the calls.

    Attributes:
        events: The incidents.
        answered: How many calls were answered, degraded or not.
        degraded: How many answers said that they are cut short or rougher.
        wrong: How many answers differ from those of an undisturbed server, and do not say so.
        lost: How many explanations were answered, but are not in the store, or are different there.
        unreplicated: How many Redis itself has lost, because it confirmed them before its replica had them.
        reasons: How often calls failed, by reason.
        slowest_seconds: The longest time until an answer.
    """

    events: Sequence[Event]
    answered: int
    degraded: int
    wrong: int
    lost: int
    unreplicated: int
    reasons: Mapping[str, int]
    slowest_seconds: float

    @property
    def faults(self) -> int:
        """How many answers were lost or wrong, and how many calls failed. None may fail: some server is always up."""
        return self.wrong + self.lost + sum(self.reasons.values())

    def rows(self) -> list[tuple[str, str, str]]:
        """Returns what was measured, what must be, and what was found."""
        rows = [
            ("answered", "", f"{self.answered}, {self.degraded} of them degraded"),
            ("  wrong", "0", str(self.wrong)),
            ("  lost", "0", str(self.lost)),
            ("  lost by Redis, not yet replicated", "", str(self.unreplicated)),
            ("  failed", "none", str(dict(self.reasons))),
            ("  slowest answer", "", f"{self.slowest_seconds:.1f} s"),
        ]
        return [*self._recoveries(), *rows]

    def _recoveries(self) -> Iterator[tuple[str, str, str]]:
        for name in dict.fromkeys(event.name for event in self.events):
            times = sorted(event.recovery_seconds for event in self.events if event.name == name)
            middle, longest = times[len(times) // 2], times[-1]
            yield (
                f"{name}: {len(times)} times",
                "",
                f"recovered after {middle:.1f} s, at most {longest:.1f} s",
            )


def measure(names: Sequence[str], rate: float, schedule: Schedule, seed: int) -> ChaosFigures:
    """Starts servers, and lets these incidents happen to them in turn, each at least once.

    Args:
        names: Keys of `INSTALLATIONS` that have the same installation.
        rate: The calls a second.
        schedule: How long it takes.
        seed: That of the times and the questions.
    """
    with tempfile.TemporaryDirectory() as folder, INSTALLATIONS[names[0]](Path(folder)) as installation:
        with Load(installation.connect, rate, seed) as load:
            wait_until(lambda: len(load.answers) >= WARM_ANSWERS and installation.healthy())
            events = list(_events(installation, names, load, schedule, random.Random(seed)))
        wait_until(installation.healthy)
        return _judged(installation, events, load.answers)


def _events(
    installation: Installation, names: Sequence[str], load: Load, schedule: Schedule, rng: random.Random
) -> Iterator[Event]:
    end, first = time.monotonic() + schedule.seconds, True
    while first or time.monotonic() < end:
        for name in names:
            time.sleep(rng.uniform(0.5, 1.5) * schedule.quiet_seconds)
            yield _event(installation, name, load, rng.uniform(0.5, 1.5) * schedule.incident_seconds)
        first = False


def _event(installation: Installation, name: str, load: Load, seconds: float) -> Event:
    began = time.monotonic()
    installation.incidents[name](seconds)
    ended = time.monotonic()
    wait_until(lambda: installation.healthy() and load.answered_since(ended))
    return Event(name, began, ended, time.monotonic() - ended)


def _judged(installation: Installation, events: Sequence[Event], answers: Sequence[Answer]) -> ChaosFigures:
    """Compares all answers with those of another server, and with what yet another one finds in the store."""
    answered = [each for each in answers if not each.reason]
    with Replica(2, "--no-brownout") as server:
        exact = asyncio.run(ask_all(server.address, (each.seed for each in answered if not each.degraded)))
    with Replica(1, *installation.store) as server:
        kept = asyncio.run(fetch_all(server.address, (each.name for each in answered)))
    missing = [each for each in answered if kept.get(each.name) != each.fingerprint]
    unreplicated = [each for each in missing if _is_unreplicated(each, installation)]
    return ChaosFigures(
        events,
        len(answered),
        sum(each.degraded for each in answered),
        sum(not each.degraded and exact[each.seed] != each.fingerprint for each in answered),
        len(missing) - len(unreplicated),
        len(unreplicated),
        Counter(each.reason for each in answers if each.reason),
        max(each.done - each.sent for each in answers),
    )


def _is_unreplicated(answer: Answer, installation: Installation) -> bool:
    """Returns whether an answer came so close to a kill of Redis that it may have lost what it had confirmed."""
    return any(abs(answer.done - loss) <= installation.unreplicated_seconds for loss in installation.losses)
