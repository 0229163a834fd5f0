"""Models behind endpoints, models of callers and look-ups are admitted by number, because their cost is not known.

In virtual time.
"""

from __future__ import annotations

import asyncio

import pytest
from api.virtual_time import play
from sequela.api.admission.counted_slots import CountedSlots
from sequela.concurrency.deadline import Deadline
from sequela.errors import SequelaError

SLOW, QUICK = 5.0, 0.1


async def call(slots: CountedSlots, seconds: float, timeout: float) -> str:
    """Returns why a request is refused, or an empty text. Once admitted, it takes a number of seconds."""
    deadline = Deadline(timeout)
    try:
        await slots.enter(None, deadline)
    except SequelaError as error:
        return error.reason if error.retry_after else f"{error.reason} without a time to retry"
    await asyncio.sleep(seconds)
    slots.leave(deadline, seconds, None)
    return ""


def test_what_others_took_refuses_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """One endpoint takes seconds and another one little. An average of both would refuse what can be answered."""

    async def scene() -> list[str]:
        slots = CountedSlots(1, queue_size=4)
        for _ in range(20):
            await call(slots, SLOW, 60.0)
        calls = [asyncio.create_task(call(slots, QUICK, timeout=1.0)) for _ in range(5)]
        return await asyncio.gather(*calls)

    assert play(scene(), monkeypatch) == 5 * [""]


def test_who_waits_is_refused_at_the_deadline_and_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long an endpoint takes: a limited number wait, each no longer than its deadline, and each is told why."""

    async def scene() -> tuple[list[str], str]:
        slots = CountedSlots(1, queue_size=2)
        stuck = asyncio.create_task(call(slots, 100 * SLOW, timeout=60.0))
        await asyncio.sleep(0)
        calls = [asyncio.create_task(call(slots, QUICK, timeout=1.0)) for _ in range(3)]
        refused = await asyncio.gather(*calls)
        late = asyncio.create_task(call(slots, QUICK, timeout=1000.0))
        await stuck
        return refused, await late

    refused, late = play(scene(), monkeypatch)
    assert refused == ["DEADLINE_SPENT_WAITING", "DEADLINE_SPENT_WAITING", "QUEUE_FULL"]
    assert late == ""
