"""How long each request may take, so that all requests that are due soon get an answer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Demand:
    """What a request still needs: `seconds` of one core, until `end` on the monotonic clock."""

    end: float
    seconds: float


@dataclass(frozen=True, slots=True)
class TimeShare:
    """The time limit of requests whose deadline ends by `until`."""

    seconds: float = math.inf
    until: float = -math.inf

    def of(self, end: float) -> float:
        """Returns how long a request with this end of its deadline may take."""
        return self.seconds if end <= self.until else math.inf


NO_LIMIT = TimeShare()


def fair_share(waiting: Iterable[Demand], running: Sequence[Demand], cores: int, now: float) -> TimeShare:
    """Returns the longest time that each may take so that all end in time.

    If all of them can end in time as they are, there is no limit. Otherwise the requests that are due by the moment
    with the largest overload share the time until then: those that need less than the share get what they need, and the
    others get equal shares. Requests with later deadlines are not cut short for them.

    Args:
        waiting: What the waiting requests need.
        running: What the running requests still need.
        cores: The number of cores.
        now: The time on the monotonic clock.
    """
    due = sorted(waiting, key=lambda each: each.end)
    taken = sorted(running, key=lambda each: each.end)
    total, worst, place, active = 0.0, 1.0, -1, 0
    for index, each in enumerate(due):
        while active < len(taken) and taken[active].end <= each.end:
            total += taken[active].seconds
            active += 1
        total += each.seconds
        load = total / (cores * max(each.end - now, 1e-6))
        if load > worst:
            worst, place = load, index
    if place < 0:
        return NO_LIMIT
    until = due[place].end
    needs = [each.seconds for each in due[: place + 1]]
    needs += [each.seconds for each in taken if each.end <= until]
    return TimeShare(_water_level(needs, cores * max(until - now, 0.0)), until)


def _water_level(needs: Sequence[float], capacity: float) -> float:
    """Returns the s for which min(need, s), added up over all needs, is the capacity."""
    left = capacity
    for done, need in enumerate(sorted(needs)):
        share = left / (len(needs) - done)
        if need >= share:
            return share
        left -= need
    return math.inf
