"""Messages that are half sent, or held, take bounded memory and bounded time, all calls together."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import grpc
import pytest
from api.made import Gate
from api.rpc_calls import explain_request, register, sequence
from api.test_operations import sample
from api.virtual_time import play
from half_messages import FIRST_WINDOW, HalfCall
from sequela.api import message_budget
from sequela.api.message_budget import MessageBudget
from sequela.errors import OutOfTime, Overloaded
from sequela.explain.ports import Observers
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Failure, Serving, embedded, in_process
from waiting import PATIENCE, eventually

SIZE = 1 << 20
EXPLAIN = "/sequela.v1.ExplanationService/Explain"
REGISTER = "/sequela.v1.ModelService/RegisterModel"
CHECK = "/grpc.health.v1.Health/Check"


@pytest.fixture
def server() -> Iterator[Serving]:
    """A server with room for two messages of a mebibyte, which waits for them for as long as tests do."""
    settings = embedded(max_message_bytes=SIZE, max_message_bytes_in_flight=2 * SIZE, upload_timeout=PATIENCE)
    with Serving(settings) as server:
        yield server


def list_models(server: Serving) -> grpc.StatusCode:
    try:
        server.models.ListModels(pb.ListModelsRequest(), timeout=PATIENCE)
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


@pytest.mark.parametrize("method", [EXPLAIN, REGISTER])
def test_no_more_than_the_budget_is_accepted_of_half_sent_messages(
    server: Serving, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two are read; of the others, the server takes what HTTP/2 always allows and no byte more."""
    monkeypatch.setattr(message_budget, "PATIENCE_SECONDS", PATIENCE)
    with ExitStack() as stack, ThreadPoolExecutor(5) as threads:
        calls = [stack.enter_context(HalfCall(server, method, SIZE - 100)) for _ in range(5)]

        def sent() -> list[int]:
            return sorted(threads.map(lambda call: call.send(SIZE, seconds=0.3), calls))

        # The server may be slow to widen the windows of the two.
        eventually(lambda: sent()[3:] == [SIZE - 96] * 2)
        assert sent()[2] <= FIRST_WINDOW


def test_slow_messages_make_room_for_others(server: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half-sent ones hold every place. A call that waits gets the place of the oldest, which is told so."""
    monkeypatch.setattr(message_budget, "PATIENCE_SECONDS", 0.3)
    with ExitStack() as stack:
        oldest = stack.enter_context(HalfCall(server, EXPLAIN, SIZE - 100))
        # The server reads its message now. Of two that begin at once, it may hear of either one first.
        oldest.send(SIZE)
        stack.enter_context(HalfCall(server, EXPLAIN, SIZE - 100)).send(SIZE)
        assert list_models(server) == grpc.StatusCode.OK
        oldest.wait_ended()
        assert list_models(server) == grpc.StatusCode.OK
    assert sample(server, "sequela_requests_rejected_total", where="messages", reason="MESSAGE_TOO_SLOW")


def test_health_checks_do_not_wait_for_messages(server: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    """They have places of their own."""
    monkeypatch.setattr(message_budget, "PATIENCE_SECONDS", PATIENCE)
    with HalfCall(server, EXPLAIN, SIZE - 100) as one, HalfCall(server, EXPLAIN, SIZE - 100) as other:
        one.send(SIZE)
        other.send(SIZE)
        with pytest.raises(grpc.RpcError) as caught:
            server.models.ListModels(pb.ListModelsRequest(), timeout=0.3)
        assert caught.value.code() in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED)
        check = server.channel.unary_unary(CHECK)
        assert check(b"", timeout=PATIENCE) == b"\x08\x01"


@pytest.mark.parametrize(
    ("method", "timeout"),
    [
        (EXPLAIN, "9999999H"),
        (REGISTER, ""),
        pytest.param(EXPLAIN, "", marks=pytest.mark.slow),
        pytest.param(REGISTER, "9999999H", marks=pytest.mark.slow),
    ],
)
def test_unfinished_messages_end_and_give_their_bytes_back(method: str, timeout: str) -> None:
    """After `upload_timeout`, whatever the caller's deadline: the call ends, and the next message has all the room."""
    with Serving(
        embedded(max_message_bytes=SIZE, max_message_bytes_in_flight=SIZE, upload_timeout=0.3)
    ) as server:
        with HalfCall(server, method, SIZE - 100, timeout) as call:
            call.send(SIZE)
            call.wait_ended()
        # A look-up has no more time than that either, and may miss it if the machine is busy.
        eventually(lambda: list_models(server) == grpc.StatusCode.OK)


def test_an_upload_must_be_whole_in_time() -> None:
    """A model whose chunks arrive one by one keeps them all, so the whole of it has one time."""

    def chunks() -> Iterator[pb.RegisterModelRequest]:
        yield pb.RegisterModelRequest(header=pb.RegisterModelHeader(name="m"))
        while server.bound:
            yield pb.RegisterModelRequest(onnx_chunk=b"0")
            time.sleep(0.05)

    with Serving(embedded(upload_timeout=0.4)) as server:
        with pytest.raises(grpc.RpcError) as caught:
            server.models.RegisterModel(chunks(), timeout=PATIENCE)
        assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        assert "--upload-timeout" in caught.value.details()


def test_messages_that_are_worked_on_count_too() -> None:
    """A held message leaves no room for another of the largest size, until its call has ended."""
    gate = Gate()
    settings = embedded(max_message_bytes=SIZE, max_message_bytes_in_flight=SIZE + 10, upload_timeout=1.0)
    with Serving(settings, explainer=gate) as server, ThreadPoolExecutor(1) as threads:
        held = threads.submit(server.explanations.Explain, explain_request(), timeout=2 * PATIENCE)
        assert gate.begun.acquire(timeout=PATIENCE)
        with pytest.raises(grpc.RpcError) as caught:
            server.models.ListModels(pb.ListModelsRequest(), timeout=PATIENCE)
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "--max-message-bytes-in-flight" in caught.value.details()
        gate.open.set()
        assert held.result().explanation
        eventually(lambda: list_models(server) == grpc.StatusCode.OK)


def background_parts(name: str, go_on: threading.Event) -> Iterator[pb.CreateBackgroundRequest]:
    """Seven sequences of almost 64 KiB, all but the first of which are sent once they may."""
    model = pb.ModelReference(name="models/m")
    yield pb.CreateBackgroundRequest(header=pb.CreateBackgroundHeader(name=name, model=model))
    one = pb.CreateBackgroundRequest(sequence=sequence(events=3200))
    yield one
    go_on.wait(PATIENCE)
    for _ in range(6):
        yield one


def test_uploads_that_fill_the_room_together_do_not_all_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is room for seven messages, and four uploads of seven have begun. Some are completed. The others are told
    at once, and not when their time is over, why they are refused and when to come again.
    """
    monkeypatch.setattr(message_budget, "PATIENCE_SECONDS", PATIENCE)
    size, go_on = 1 << 16, threading.Event()
    settings = in_process(
        max_message_bytes=size, max_message_bytes_in_flight=7 * size, upload_timeout=PATIENCE
    )
    with Serving(settings) as server, ThreadPoolExecutor(4) as threads:
        register(server, "m")

        def send(number: int) -> Failure | None:
            parts = background_parts(f"models/m/backgrounds/b{number}", go_on)
            try:
                server.backgrounds.CreateBackground(parts, timeout=2 * PATIENCE)
            except grpc.RpcError as error:
                return Failure(error)
            return None

        sent = [threads.submit(send, number) for number in range(4)]
        upload = {"grpc_service": "sequela.v1.BackgroundService", "grpc_method": "CreateBackground"}
        labels = {"grpc_type": "client_stream", **upload}
        eventually(lambda: sample(server, "grpc_server_msg_received_total", **labels) == 8)
        go_on.set()
        found = [each.result() for each in sent]
        refused = {number: failure for number, failure in enumerate(found) if failure}
        assert 1 <= len(refused) <= 3
        for failure in refused.values():
            assert (failure.code, failure.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL")
            assert "uploads that began earlier need the room" in failure.message
            assert failure.retry == message_budget.RETRY_SECONDS
        assert [send(number) for number in refused] == [None] * len(refused)


def test_open_streams_are_limited() -> None:
    """One more than the setting says is refused, and taken once another has ended."""
    leaving = threading.Event()

    def silent() -> Iterator[pb.ExplainStreamRequest]:
        leaving.wait(PATIENCE)
        yield from ()

    with Serving(embedded(max_streams=1)) as server:
        first = server.explanations.ExplainStream(silent(), timeout=2 * PATIENCE)
        stream = {"grpc_service": "sequela.v1.ExplanationService", "grpc_method": "ExplainStream"}
        # Otherwise the first one may be the one that is refused.
        eventually(
            lambda: sample(server, "grpc_server_started_total", grpc_type="bidi_stream", **stream) == 1
        )
        eventually(lambda: refused(server))
        leaving.set()
        assert not list(first)
        eventually(lambda: not refused(server))


def refused(server: Serving) -> bool:
    try:
        list(server.explanations.ExplainStream(iter(()), timeout=PATIENCE))
    except grpc.RpcError as error:
        return "--max-streams" in error.details()
    return False


def budget(places: int) -> MessageBudget:
    return MessageBudget(places * 100, 100, Observers(()))


def test_places_are_given_in_order_and_given_back() -> None:
    """Many messages through two places: all are read, never more than two at a time, and nothing is left over."""
    reading, most = 0, 0

    async def message() -> bytes:
        nonlocal reading, most
        reading += 1
        most = max(most, reading)
        await asyncio.sleep(0.001)
        reading -= 1
        return b"x" * 10

    async def call(shared: MessageBudget) -> None:
        with shared.share() as share:
            await shared.read(share, message, asyncio.get_running_loop().time() + PATIENCE)

    async def run() -> MessageBudget:
        shared = budget(2)
        await asyncio.gather(*(call(shared) for _ in range(40)))
        return shared

    assert asyncio.run(run()).used_bytes == 0
    assert 1 <= most <= 2


def test_a_message_that_never_comes_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """OutOfTime for the one that is read, Overloaded for the one that waits; both give back what they took."""

    async def never() -> bytes:
        await asyncio.Event().wait()
        raise AssertionError

    async def call(shared: MessageBudget, seconds: float) -> None:
        with shared.share() as share:
            await shared.read(share, never, asyncio.get_running_loop().time() + seconds)

    async def run() -> tuple[list[BaseException | None], int]:
        shared = budget(1)
        found = await asyncio.gather(call(shared, 0.2), call(shared, 0.1), return_exceptions=True)
        return found, shared.used_bytes

    found, left = play(run(), monkeypatch)
    assert [type(each) for each in found] == [OutOfTime, Overloaded]
    assert left == 0


def test_a_caller_that_leaves_passes_its_place_on() -> None:
    """It is cancelled in the moment in which it gets its place: the one behind it is read nevertheless."""

    async def call(shared: MessageBudget, reading: asyncio.Event) -> bytes:
        async def message() -> bytes:
            await reading.wait()
            return b"x"

        with shared.share() as share:
            return await shared.read(share, message, asyncio.get_running_loop().time() + PATIENCE)

    async def run() -> bytes:
        shared, first, ready = budget(1), asyncio.Event(), asyncio.Event()
        ready.set()
        holding = asyncio.create_task(call(shared, first))
        await asyncio.sleep(0)
        leaving, waiting = (asyncio.create_task(call(shared, ready)) for _ in range(2))
        await asyncio.sleep(0.01)
        first.set()
        while len(shared._waiting) == 2:
            await asyncio.sleep(0)
        leaving.cancel()
        await holding
        return await asyncio.wait_for(waiting, PATIENCE)

    assert asyncio.run(run()) == b"x"


def test_messages_of_streams_count_too() -> None:
    """They are complete when they are counted. One for which there is no room is refused, until another is released."""

    async def run() -> None:
        shared = budget(1)
        with shared.stream() as one, shared.stream() as other:
            shared.hold(one, 60)
            with pytest.raises(Overloaded, match="60 of at most 100 bytes"):
                shared.hold(other, 50)
            shared.hold(other, 40)
            shared.release(one, 60)
            shared.hold(other, 50)
            assert shared.used_bytes == 90
        assert shared.used_bytes == 0

    asyncio.run(run())


def test_a_message_larger_than_the_budget_is_read_if_it_is_alone() -> None:
    """A budget below one message does not stop the server."""

    async def run() -> int:
        shared = MessageBudget(10, 100, Observers(()))

        async def message() -> bytes:
            return b"x" * 50

        with shared.share() as share:
            await shared.read(share, message, asyncio.get_running_loop().time() + PATIENCE)
            return shared.used_bytes

    assert asyncio.run(run()) == 50
