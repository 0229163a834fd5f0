"""Who gets the room of messages, and who has to give it up: in turn, and no more than others need."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from random import Random
from typing import Any

import pytest
from api.virtual_time import play
from sequela.api.message_budget import PATIENCE_SECONDS, MessageBudget, MessageShare
from sequela.errors import SequelaError
from sequela.explain.ports import Observers
from sweeps import size

SIZE = 100
LONG = 60 * PATIENCE_SECONDS
"""How long a message may take if nobody waits for its room, in seconds."""

Scene = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    """Plays a scene in virtual time. Whatever goes wrong in a callback of the loop is raised."""

    async def heeded(acts: Coroutine[Any, Any, Any]) -> Any:
        wrong: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: wrong.append(context))
        found = await acts
        assert not wrong
        return found

    return lambda acts: play(heeded(acts), monkeypatch)


def budget(size: int) -> MessageBudget:
    return MessageBudget(size, SIZE, Observers(()))


def arriving(seconds: float, length: int = 1) -> Callable[[], Awaitable[bytes]]:
    """A message that takes so long once the server reads it."""

    async def message() -> bytes:
        await asyncio.sleep(seconds)
        return b"x" * length

    return message


async def call(shared: MessageBudget, seconds: float, limit: float = LONG) -> float | str:
    """Sends a message that takes so long. Returns when it was read, in seconds from now, or why it was not."""
    clock = asyncio.get_running_loop().time
    began = clock()
    try:
        with shared.share() as share:
            await shared.read(share, arriving(seconds), began + limit)
            return round(clock() - began, 6)
    except SequelaError as error:
        return error.reason


async def beside_a_holder(
    shared: MessageBudget, seconds: float, *calls: Coroutine[Any, Any, float | str]
) -> list[float | str]:
    """What becomes of calls that come while another one holds all the room, for so long."""
    with shared.share() as holder:
        while shared.used_bytes < shared.max_bytes:
            shared.hold(holder, SIZE)
        begun = [asyncio.ensure_future(each) for each in calls]
        await asyncio.sleep(seconds)
    return await asyncio.gather(*begun)


def test_one_that_waits_ends_one_slow_message(scene: Scene) -> None:
    """Of three that are slow alike, one has to make room; the others are read."""

    async def acts() -> list[float | str]:
        shared = budget(3 * SIZE)
        return list(await asyncio.gather(*(call(shared, LONG / 2) for _ in range(3)), call(shared, 0.0)))

    assert scene(acts()) == ["MESSAGE_TOO_SLOW", LONG / 2, LONG / 2, PATIENCE_SECONDS]


def test_each_that_waits_gets_a_place_of_a_slow_message(scene: Scene) -> None:
    """Two wait for the places of two."""

    async def acts() -> list[float | str]:
        shared = budget(2 * SIZE)
        slow = (call(shared, LONG / 2) for _ in range(2))
        return list(await asyncio.gather(*slow, call(shared, LONG / 4), call(shared, LONG / 4)))

    assert scene(acts()) == ["MESSAGE_TOO_SLOW"] * 2 + [PATIENCE_SECONDS + LONG / 4] * 2


def test_a_slow_message_makes_room_for_those_that_waited_behind_it(scene: Scene) -> None:
    """Both waited before either was read. The second one gets the place of the first after the usual time."""
    shared = budget(SIZE)
    found = scene(beside_a_holder(shared, 0.1, call(shared, LONG), call(shared, 0.0)))
    assert found == ["MESSAGE_TOO_SLOW", 0.1 + PATIENCE_SECONDS]


def test_the_time_for_room_does_not_count_as_time_of_the_message(scene: Scene) -> None:
    """A call that waited for long has as much time to send its message as any other, though more calls wait."""
    shared, long, quick = budget(SIZE), 5 * PATIENCE_SECONDS, PATIENCE_SECONDS / 4

    async def later() -> float | str:
        await asyncio.sleep(long)
        return await call(shared, quick)

    found = scene(beside_a_holder(shared, long, call(shared, quick), call(shared, quick), later()))
    assert found == [long + quick, long + 2 * quick, 3 * quick]


def test_room_for_several_is_given_to_several(scene: Scene) -> None:
    """A call that held three messages ends. Of those that wait, a slow one does not hold up the others."""
    shared = budget(3 * SIZE)
    slow, *quick = scene(
        beside_a_holder(shared, 0.1, call(shared, LONG / 2), call(shared, 0.0), call(shared, 0.0))
    )
    assert (slow, quick) == (0.1 + LONG / 2, [0.1, 0.1])


async def upload(shared: MessageBudget, *seconds: float) -> list[float | str]:
    """Sends message after message, each of which takes so long. Returns when they were read, or why one was not."""
    clock, times = asyncio.get_running_loop().time, list[float | str]()
    began = clock()
    try:
        with shared.share() as share:
            for each in seconds:
                await shared.read(share, arriving(each), began + LONG)
                times.append(round(clock() - began, 6))
    except SequelaError as error:
        times.append(error.reason)
    return times


def test_an_upload_waits_its_turn_between_its_messages(scene: Scene) -> None:
    """It sends message after message. A call that comes is read after the next one, and not after all of them."""

    async def acts() -> list[object]:
        shared = budget(SIZE + SIZE // 2)
        return list(await asyncio.gather(upload(shared, 0.2, 0.2, 0.2), call(shared, 0.1)))

    assert scene(acts()) == [[0.2, 0.5, 0.7], 0.3]


def test_an_upload_whose_message_was_just_in_time_makes_room_later(scene: Scene) -> None:
    """Its first message is complete in the moment in which it should make room. The next one is slow, and has to."""

    async def later(shared: MessageBudget) -> float | str:
        await asyncio.sleep(1.5 * PATIENCE_SECONDS)
        return await call(shared, 0.0)

    async def acts() -> list[object]:
        shared = budget(SIZE + SIZE // 2)
        calls = upload(shared, PATIENCE_SECONDS, LONG), call(shared, 0.0), later(shared)
        return list(await asyncio.gather(*calls))

    told = [PATIENCE_SECONDS, "MESSAGE_TOO_SLOW"]
    assert scene(acts()) == [told, PATIENCE_SECONDS, PATIENCE_SECONDS / 2]


def test_a_message_keeps_the_room_it_was_read_in(scene: Scene) -> None:
    """Others wait for room when it is complete. It is held, and they get what is left."""

    async def acts() -> list[float | str]:
        shared = budget(SIZE)

        async def held() -> float | str:
            with shared.share() as share:
                await shared.read(share, arriving(0.1), asyncio.get_running_loop().time() + LONG)
                await asyncio.sleep(1.0)
            return "held"

        return list(await asyncio.gather(held(), call(shared, 0.0)))

    assert scene(acts()) == ["held", 1.1]


def test_a_slow_message_whose_own_time_is_over_ends_once(scene: Scene) -> None:
    """Its deadline comes in the moment in which it should make room. It is told of the deadline."""

    async def acts() -> list[float | str]:
        shared = budget(SIZE)
        return list(await asyncio.gather(call(shared, LONG, PATIENCE_SECONDS), call(shared, 0.0)))

    assert scene(acts()) == ["DEADLINE_TOO_SHORT", PATIENCE_SECONDS]


def test_a_caller_that_leaves_with_its_place_gives_it_back(scene: Scene) -> None:
    """It is cancelled when it has got its place and has not begun to send."""

    async def acts() -> tuple[float | str, int]:
        shared = budget(SIZE)
        with shared.share() as holder:
            shared.hold(holder, SIZE)
            leaving = asyncio.ensure_future(call(shared, LONG))
            waiting = asyncio.ensure_future(call(shared, 0.0))
            await asyncio.sleep(0.1)
        leaving.cancel()
        found = await waiting
        return found, shared.used_bytes

    assert scene(acts()) == (0.1, 0)


def test_no_room_in_time(scene: Scene) -> None:
    """The call that waits is refused, and what it waited for is there for the next one."""

    async def acts() -> float | str:
        shared = budget(SIZE)
        with shared.share() as holder:
            shared.hold(holder, SIZE)
            refused = await call(shared, 0.0, limit=0.5)
        assert refused == "QUEUE_FULL"
        return await call(shared, 0.0)

    assert scene(acts()) == 0.0


async def go_on(shared: MessageBudget, held: int, *seconds: float, pause: float = 0.1) -> float | str:
    """An upload that has sent so many bytes and, after a pause, sends further messages. Returns when the last one was
    read, or why one was not.
    """
    clock = asyncio.get_running_loop().time
    began = clock()
    try:
        with shared.share() as share:
            shared.hold(share, held)
            await asyncio.sleep(pause)
            for each in seconds:
                await shared.read(share, arriving(each), clock() + LONG)
            return round(clock() - began, 6)
    except SequelaError as error:
        return error.reason


def test_an_upload_for_whose_messages_all_others_wait_goes_on(scene: Scene) -> None:
    """The first that waits would wait for the upload, which waits behind it. The upload is read and ends."""

    async def acts() -> list[float | str]:
        shared = budget(SIZE)
        other = go_on(shared, SIZE // 2, pause=0.2)
        return list(await asyncio.gather(other, go_on(shared, SIZE // 2, 0.1), call(shared, 0.0)))

    assert scene(acts()) == [0.2, 0.3, 0.3]


def test_uploads_that_wait_for_each_other_do_not_all_fail(scene: Scene) -> None:
    """Their messages fill the room, so that none of them could go on. The last one is refused at once."""

    async def acts() -> list[float | str]:
        shared = budget(2 * SIZE)
        return list(await asyncio.gather(*(go_on(shared, SIZE // 2, 0.1) for _ in range(3))))

    assert scene(acts()) == [0.2, 0.3, "QUEUE_FULL"]


def test_the_upload_that_began_first_is_completed(scene: Scene) -> None:
    """Though it is the last to wait. Otherwise uploads that are repeated could be refused for each other again and
    again.
    """

    async def acts() -> list[float | str]:
        shared = budget(2 * SIZE)
        first = go_on(shared, SIZE, 0.1, 0.1, pause=0.2)
        return list(await asyncio.gather(first, go_on(shared, SIZE // 2, 0.1)))

    assert scene(acts()) == [0.4, "QUEUE_FULL"]


@pytest.mark.parametrize(
    ("held", "found"),
    [
        ((40, 50, 100), [0.2, 0.3, "QUEUE_FULL"]),
        ((80, 50, 60), [0.2, "QUEUE_FULL", "QUEUE_FULL"]),
        ((80, 20, 60), [0.2, 0.3, "QUEUE_FULL"]),
        ((20, 20, 20), [0.2, 0.3, 0.4]),
    ],
)
def test_no_more_uploads_are_refused_than_others_need(
    scene: Scene, held: tuple[int, ...], found: list[float | str]
) -> None:
    """There is room for 210 bytes. Those that wait may hold all but the 100 of another message."""

    async def acts() -> list[float | str]:
        shared = budget(2 * SIZE + 10)
        return list(await asyncio.gather(*(go_on(shared, each, 0.1) for each in held)))

    assert scene(acts()) == found


def test_uploads_that_others_keep_waiting_are_not_refused(scene: Scene) -> None:
    """A call that is worked on holds most of the room. Both uploads are read once it has ended."""

    async def acts() -> list[float | str]:
        shared = budget(3 * SIZE)
        other = go_on(shared, 2 * SIZE, pause=LONG / 2)
        return list(await asyncio.gather(other, *(go_on(shared, SIZE // 2, 0.1) for _ in range(2))))

    assert scene(acts()) == [LONG / 2, LONG / 2 + 0.1, LONG / 2 + 0.1]


def test_uploads_that_wait_for_each_other_do_not_wait_for_other_calls(scene: Scene) -> None:
    """A call that is worked on holds a little for long. It would help nobody to wait for its end."""

    async def acts() -> list[float | str]:
        shared = budget(2 * SIZE)
        other = go_on(shared, SIZE // 10, pause=LONG / 2)
        return list(await asyncio.gather(other, *(go_on(shared, 6 * SIZE // 10, 0.1) for _ in range(2))))

    assert scene(acts()) == [LONG / 2, 0.2, "QUEUE_FULL"]


def test_an_upload_that_is_leaving_stands_in_nobodys_way(scene: Scene) -> None:
    """It is cancelled in the moment in which a third one begins to wait. Without it there is room for the others."""

    async def acts() -> list[float | str]:
        shared = budget(2 * SIZE)
        with shared.share() as share:
            shared.hold(share, SIZE // 2)
            leaving, staying = (asyncio.ensure_future(go_on(shared, SIZE // 2, 0.1)) for _ in range(2))
            await asyncio.sleep(0.2)
            leaving.cancel()
            await shared.read(share, arriving(0.1), asyncio.get_running_loop().time() + LONG)
        return [await staying, float(shared.used_bytes)]

    assert scene(acts()) == [0.3, 0.0]


def test_a_refused_upload_that_is_cancelled_gives_its_room_back(scene: Scene) -> None:
    """Both in one moment, before it learns of either. The upload for which it was refused goes on."""

    async def acts() -> tuple[float, int]:
        shared = budget(2 * SIZE)
        with shared.share() as first:
            shared.hold(first, SIZE)
            second = asyncio.ensure_future(go_on(shared, SIZE // 2, 0.1))
            await asyncio.sleep(0.2)
            clock = asyncio.get_running_loop().time
            began = clock()
            asyncio.get_running_loop().call_soon(second.cancel)
            await shared.read(first, arriving(0.1), began + LONG)
            assert second.cancelled()
            return round(clock() - began, 6), shared.used_bytes

    assert scene(acts()) == (0.1, SIZE + 1)


@pytest.mark.parametrize("seed", range(size(20, 300)))
def test_whatever_is_sent_nobody_waits_for_ever(scene: Scene, seed: int) -> None:
    """Uploads come at any time, with messages of any size. Some are cancelled; those that are refused are sent again.
    All others are complete long before one message would be too late, and no more room is used than there is.
    """
    random = Random(seed)
    shared = budget(random.choice([SIZE // 2, SIZE, 2 * SIZE, 2 * SIZE + SIZE // 2, 5 * SIZE]))

    async def send(share: MessageShare, length: int) -> None:
        def read() -> Awaitable[bytes]:
            assert shared.used_bytes <= max(shared.max_bytes, share.held_bytes + SIZE)
            return arriving(random.choice([0.0, 0.1]), length)()

        await shared.read(share, read, asyncio.get_running_loop().time() + LONG)

    async def send_all() -> None:
        await asyncio.sleep(random.choice([0.0, 0.1, 0.5]))
        lengths = [random.choice([0, 1, SIZE // 2, SIZE]) for _ in range(random.randint(1, 6))]
        while True:
            try:
                with shared.share() as share:
                    for length in lengths:
                        await send(share, length)
                        await asyncio.sleep(random.choice([0.0, 0.1]))
                return
            except SequelaError as error:
                if error.reason != "QUEUE_FULL":
                    raise
                await asyncio.sleep(random.choice([0.0, 1.0]))

    async def acts() -> tuple[bool, int]:
        clock = asyncio.get_running_loop().time
        began = clock()
        uploads = [asyncio.ensure_future(send_all()) for _ in range(8)]
        for each in random.sample(uploads, 2):
            asyncio.get_running_loop().call_later(random.choice([0.1, 0.3]), each.cancel)
        await asyncio.gather(*uploads, return_exceptions=True)
        assert not any(each.exception() for each in uploads if not each.cancelled())
        return clock() - began < LONG, shared.used_bytes

    assert scene(acts()) == (True, 0)
