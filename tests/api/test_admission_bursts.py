"""Many callers at once with little time: as many get an answer as the roughest answers allow. In virtual time."""

from __future__ import annotations

import asyncio
from collections import Counter
from random import Random

import pytest
from adapters.store.store_samples import Heard
from api.admission_door import LIMITS, ticket
from api.virtual_time import play
from sequela.api.admission.admission import AdmissionSlots
from sequela.api.admission.brownout import REFUSING, Brownout
from sequela.concurrency.deadline import Deadline
from sequela.errors import SequelaError

CORES, CALLERS, BURSTS = 2, 50, 6
TIMEOUT, RESERVE = 0.1, 0.0215
"""Of each caller, in seconds, and the part of it that is kept for sending the answer."""
SPREAD = 0.02
"""All callers come within this time."""
FULL = 0.04
"""What a full answer takes."""
STEP = 0.0005
ANSWERED, LATE = "answered", "late"


class Service:
    """Answers as an engine does: scores first, then levels until its share of time is over, and then it encodes."""

    def __init__(self, rough: float) -> None:
        self.rough = rough
        self.slots = AdmissionSlots(CORES, CORES, LIMITS, Heard(), Random(1), Brownout(Deadline.now()))

    async def call(self, deadline: Deadline) -> str:
        """Returns how a call ends."""
        asked, given_until = ticket(), deadline.end + RESERVE
        try:
            await self.slots.enter(asked, deadline)
        except SequelaError as error:
            return error.reason
        started = Deadline.now()
        await asyncio.sleep(self.rough / 2)
        levels, spent = min(FULL - self.rough, asked.share_seconds), 0.0
        # The deadline may be brought forward meanwhile.
        while spent < levels and deadline.remaining > 0:
            await asyncio.sleep(STEP)
            spent += STEP
        await asyncio.sleep(self.rough / 2)
        self.slots.leave(deadline, Deadline.now() - started, None)
        return ANSWERED if Deadline.now() <= given_until else LATE

    async def burst(self) -> Counter[str]:
        """Returns how the calls of all callers end."""
        calls = []
        for _ in range(CALLERS):
            calls.append(asyncio.create_task(self.call(Deadline(TIMEOUT, RESERVE))))
            await asyncio.sleep(SPREAD / CALLERS)
        return Counter(await asyncio.gather(*calls))


def bursts(rough: float, monkeypatch: pytest.MonkeyPatch, warm: int) -> list[Counter[str]]:
    """Returns how the calls of some bursts end, after `warm` calls with much time."""

    async def scene() -> list[Counter[str]]:
        service, found = Service(rough), []
        for _ in range(warm):
            await service.call(Deadline(60.0))
        for _ in range(BURSTS):
            found.append(await service.burst())
            await asyncio.sleep(1.0)
        return found

    return play(scene(), monkeypatch)


@pytest.mark.parametrize("rough", [0.002, 0.003])
def test_nearly_all_are_answered_if_there_is_time_for_the_roughest_answers(
    monkeypatch: pytest.MonkeyPatch, rough: float
) -> None:
    """Two full answers take as long as all callers have; the roughest ones leave room for all of them."""
    for found in bursts(rough, monkeypatch, warm=100):
        assert found[ANSWERED] >= 0.9 * CALLERS, found


def test_if_there_is_not_time_for_all_most_of_what_is_possible_is_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And those for whom there is no time are refused, all but a few before their work begins."""
    rough = 0.006
    possible = CORES * (TIMEOUT - RESERVE + SPREAD) / rough
    for found in bursts(rough, monkeypatch, warm=100):
        assert found[ANSWERED] > 0.6 * possible, found
        assert found[LATE] < 0.3 * CALLERS, found


def test_the_first_burst_after_a_start_teaches_what_answers_take(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was measured before it. It refuses nobody because of a guess, and those after it are as good as any."""
    first, *later = bursts(0.003, monkeypatch, warm=0)
    assert "DEADLINE_TOO_SHORT" not in first
    assert all(found[ANSWERED] >= 0.9 * CALLERS for found in later[1:]), later


def test_bursts_that_the_server_can_do_are_not_refused_for_ever_after_an_overload(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The queue is short after one. If it refused some of each burst and stayed short for that, it would never grow."""
    service, count, pause = 0.002, 45, 0.15  # 45 ms of work for each of two cores, every 150 ms

    async def call(slots: AdmissionSlots) -> str:
        deadline = Deadline(1.0)
        try:
            await slots.enter(ticket(), deadline)
        except SequelaError as error:
            return error.reason
        await asyncio.sleep(service)
        slots.leave(deadline, service, None)
        return ANSWERED

    async def scene() -> list[Counter[str]]:
        brownout, found = Brownout(Deadline.now()), []
        slots = AdmissionSlots(CORES, CORES, LIMITS, Heard(), Random(1), brownout)
        assert await call(slots) == ANSWERED
        overload = []
        for _ in range(60):
            overload += [asyncio.create_task(call(slots)) for _ in range(count)]
            await asyncio.sleep(service * count / CORES / 3)
        assert brownout.level == REFUSING
        await asyncio.gather(*overload)
        for _ in range(20):
            calls = [asyncio.create_task(call(slots)) for _ in range(count)]
            await asyncio.sleep(pause)
            found.append(Counter(await asyncio.gather(*calls)))
        assert brownout.level == 0
        return found

    found = play(scene(), monkeypatch)
    assert found[0]["QUEUE_FULL"] > 0
    assert found[-1] == Counter({ANSWERED: count})
