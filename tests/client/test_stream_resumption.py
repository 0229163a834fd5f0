"""A stream that the server ends is opened again for the sequences that have no answer: none is lost or repeated."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from client.guarded import Guard, guarded
from client.scripted import Script, refuse, serving
from matrix import BY_NAME
from sequela_client import AsyncSequela, CallerError, Sequela, Sequence, TokenExpired, TryAgain, Unavailable
from sequela_client.resumptions import Resumptions, pause_seconds
from sequela_client.statuses import from_rpc
from serving import Serving, embedded
from waiting import eventually

SEQUENCE = np.ones((3, 2))
WRONG = np.ones((3, 2), dtype=complex)
OLD_AGE = (("grpc.max_connection_age_ms", 200), ("grpc.max_connection_age_grace_ms", 1000))
GRU = BY_NAME["gru"]
LEAST_ANSWERS = 1_000


@pytest.fixture(autouse=True)
def short_pauses(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams are opened again after a hundredth of a second or a few, but for the slow tests."""
    if request.node.get_closest_marker("slow"):
        return
    monkeypatch.setattr("sequela_client.resumptions.pause_seconds", lambda failures: 0.01 * failures)


def test_pauses_grow() -> None:
    """Each is twice as long as the one before, from a tenth of a second."""
    assert [pause_seconds(failures) for failures in (1, 2, 3)] == [0.1, 0.2, 0.4]


class BreakingScript(Script):
    """Ends every stream after so many answers, without a word about the other sequences.

    Args:
        answers: how many answers each stream has; the last number counts for all further ones.
    """

    def __init__(self, *answers: int, code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE) -> None:
        super().__init__()
        self.answers, self.code = list(answers), code
        self.streams = 0

    def ExplainStream(self, requests: Any, context: Any) -> Iterator[Any]:  # noqa: N802 the method has gRPC's name
        most = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        self.streams += 1
        for number, answer in enumerate(super().ExplainStream(requests, context)):
            if number >= most:
                context.abort(self.code, "the connection is old")
            yield answer


def numbered(count: int) -> list[Sequence]:
    """Sequences with their numbers as ids."""
    return [Sequence(SEQUENCE, id=str(number)) for number in range(count)]


def test_every_sequence_has_one_answer() -> None:
    """In their order, each with its own id, also where some cannot be sent."""
    script = BreakingScript(3, 1, 4, 2)
    given: list[Any] = [*numbered(4), WRONG, *numbered(9)[5:], WRONG]
    with serving(script) as where, Sequela(where) as sequela:
        outcomes = list(sequela.explain_many(given, model="m"))
    assert [outcome.index for outcome in outcomes] == list(range(10))
    assert [outcome.index for outcome in outcomes if outcome.error] == [4, 9]
    assert all(each.explanation.caller_id == str(each.index) for each in outcomes if each.explanation)
    assert script.streams >= 3


def test_the_same_by_asyncio() -> None:
    """Sequences come from an async generator, which is read on by the same task."""
    script, tasks = BreakingScript(2, 1, 3), set()

    async def given() -> AsyncIterator[Sequence]:
        for each in numbered(8):
            tasks.add(asyncio.current_task())
            await asyncio.sleep(0)
            yield each

    async def ask(where: str) -> list[Any]:
        async with AsyncSequela(where) as sequela:
            return [outcome async for outcome in sequela.explain_many(given(), model="m")]

    with serving(script) as where:
        outcomes = asyncio.run(ask(where))
    assert [outcome.unwrap().caller_id for outcome in outcomes] == [str(number) for number in range(8)]
    assert len(tasks) == 1


def test_values_of_a_background_are_sent_again_until_the_digest_is_known() -> None:
    """Each message of a new stream can be read alone."""
    script = BreakingScript(1)
    with serving(script) as where, Sequela(where) as sequela:
        outcomes = list(sequela.explain_many(numbered(3), model="m", background=np.zeros(2)))
    assert all(outcome.explanation for outcome in outcomes)


def test_a_generator_is_read_on() -> None:
    """It is not read ahead without need, not read twice, and closed at the end."""
    script, read = BreakingScript(2), []

    def given() -> Iterator[Sequence]:
        for each in numbered(7):
            read.append(each.id)
            time.sleep(0.02)
            yield each

    with serving(script) as where, Sequela(where) as sequela:
        outcomes = list(sequela.explain_many(given(), model="m"))
    assert [outcome.unwrap().caller_id for outcome in outcomes] == read == list("0123456")


def test_a_stream_without_progress_is_given_up() -> None:
    """After a few attempts, so that nobody waits for ever."""
    script = BreakingScript(2, 0)
    with serving(script) as where, Sequela(where) as sequela:
        stream = sequela.explain_many(numbered(4), model="m")
        outcomes = [next(stream), next(stream)]
        with pytest.raises(TryAgain, match="the connection is old"):
            next(stream)
    assert all(outcome.explanation for outcome in outcomes)
    assert script.streams == 1 + 3


def test_an_error_of_the_callers_own_iterator_is_not_tried_again() -> None:
    """It is raised as it is, also after a resumption."""
    script = BreakingScript(2)

    def given() -> Iterator[Sequence]:
        yield from numbered(4)
        raise KeyError("mine")

    with serving(script) as where, Sequela(where) as sequela, pytest.raises(KeyError, match="mine"):
        list(sequela.explain_many(given(), model="m"))

    async def ask(where: str) -> None:
        async with AsyncSequela(where) as sequela:
            async for _ in sequela.explain_many(given(), model="m"):
                pass

    with serving(script) as where, pytest.raises(KeyError, match="mine"):
        asyncio.run(ask(where))


def test_other_errors_end_the_stream() -> None:
    """What would meet the next stream too is not tried again."""
    script = BreakingScript(2, code=grpc.StatusCode.INVALID_ARGUMENT)
    with serving(script) as where, Sequela(where) as sequela, pytest.raises(CallerError):
        list(sequela.explain_many(numbered(4), model="m"))
    assert script.streams == 1


def test_old_connections_are_replaced() -> None:
    """By gRPC's own option, which the server's --max-connection-age sets: many connections for one stream."""
    script, guard = Script(), Guard({"mine": None})

    def given() -> Iterator[Sequence]:
        for number, each in enumerate(numbered(12)):
            if number in (3, 6):
                # The next one comes when there is another connection.
                eventually(lambda number=number: len(guard.seen) > number / 3)  # type: ignore[misc]
            yield each

    with guarded(script, guard, options=OLD_AGE) as where, Sequela(where, token="mine") as sequela:
        outcomes = list(sequela.explain_many(given(), model="m"))
    assert [outcome.unwrap().caller_id for outcome in outcomes] == [str(number) for number in range(12)]
    assert len(guard.seen) >= 3


class ExpiringScript(Script):
    """Ends a stream after two answers, since the token has expired; the file may have another one by then."""

    def __init__(self, file: Path, renewed: str) -> None:
        super().__init__()
        self.file, self.renewed = file, renewed

    def ExplainStream(self, requests: Any, context: Any) -> Iterator[Any]:  # noqa: N802 the method has gRPC's name
        token = dict(context.invocation_metadata())["authorization"]
        for number, answer in enumerate(super().ExplainStream(requests, context)):
            if number == 2 and token == "Bearer first":
                self.file.write_text(self.renewed)
                refuse(context, grpc.StatusCode.UNAUTHENTICATED, "TOKEN_EXPIRED")
            yield answer


def test_a_token_that_expires_meanwhile_is_renewed(tmp_path: Path) -> None:
    """If the file has a new one by then, the stream goes on; if not, the error is raised."""
    file = tmp_path / "token"
    for renewed in ("second", "first"):
        file.write_text("first")
        with serving(ExpiringScript(file, renewed)) as where, Sequela(where, token_file=file) as sequela:
            stream = sequela.explain_many(numbered(8), model="m")
            if renewed == "second":
                assert [each.index for each in stream] == list(range(8))
            else:
                assert [next(stream).index, next(stream).index] == [0, 1]
                with pytest.raises(TokenExpired):
                    next(stream)


@pytest.mark.slow
def test_a_real_server_with_an_age_of_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocking and asyncio, while connections end about every two seconds: all answers, those of a young server."""
    rows = [GRU.sample(6, seed=number)["events"] for number in range(20)]
    options: dict[str, Any] = {"model": GRU.path, "background": GRU.average()["events"], "levels": ["event"]}

    resumed: list[int] = []
    pause = Resumptions.pause
    monkeypatch.setattr(Resumptions, "pause", lambda self, *how: resumed.append(how[1]) or pause(self, *how))

    def slowly() -> Iterator[Any]:
        for each in rows:
            time.sleep(0.25)
            yield each

    async def ask(where: str) -> list[float]:
        async with AsyncSequela(where) as sequela:
            return [each.unwrap().score async for each in sequela.explain_many(rows_slowly(), **options)]

    async def rows_slowly() -> AsyncIterator[Any]:
        for each in rows:
            await asyncio.sleep(0.25)
            yield each

    with Serving(embedded()) as young, Sequela(young.bound.grpc) as sequela:
        expected = [each.unwrap() for each in sequela.explain_many(rows, **options)]
    with Serving(embedded(max_connection_age=2, connection_age_grace=0.2)) as old:
        with Sequela(old.bound.grpc) as sequela:
            found = [each.unwrap() for each in sequela.explain_many(slowly(), **options)]
        assert len(resumed) >= 2
        assert asyncio.run(ask(old.bound.grpc)) == [each.score for each in expected]
        assert len(resumed) >= 4
    for one, other in zip(found, expected, strict=True):
        assert one.event_level.attributions == other.event_level.attributions


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_answers_are_never_those_of_other_sequences() -> None:
    """Many streams on connections that live a tenth of a second. With gRPC's own retries, about one answer in 8,000 was
    that of the next sequence, since gRPC had lost a message when it sent them again.
    """
    wrong: list[str] = []
    counts: list[int] = []
    enough, give_up = time.monotonic() + 20, time.monotonic() + 200

    def goes_on() -> bool:
        # A busy machine takes longer than 20 seconds for as many answers as it takes to tell anything.
        now = time.monotonic()
        return now < enough or (sum(counts) <= LEAST_ANSWERS and now < give_up)

    def work(sequela: Sequela, worker: int) -> None:
        while goes_on():
            given = [Sequence(SEQUENCE, id=f"{worker}-{number}") for number in range(16)]
            try:
                found = [each.unwrap().caller_id for each in sequela.explain_many(given, model="m")]
            except (
                Unavailable
            ):  # on a busy machine, four connections in a row may be too short for one answer
                continue
            wrong.extend(one for one, other in zip(found, given, strict=True) if one != other.id)
            counts.append(len(found))

    options = (("grpc.max_connection_age_ms", 100), ("grpc.max_connection_age_grace_ms", 5))
    with guarded(SlowAnswers(), options=options) as where, Sequela(where) as sequela:
        threads = [threading.Thread(target=work, args=(sequela, worker)) for worker in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sum(counts) > LEAST_ANSWERS
    assert wrong == []


class SlowAnswers(Script):
    """Takes two milliseconds for each answer, so that connections end in the middle of streams."""

    def ExplainStream(self, requests: Any, context: Any) -> Iterator[Any]:  # noqa: N802 the method has gRPC's name
        for answer in super().ExplainStream(requests, context):
            time.sleep(0.002)
            yield answer


def test_a_message_that_came_too_late_for_its_stream() -> None:
    """grpc.aio then hides why the stream ended; it is opened again, and the server says so once more if it has to."""

    class Late(grpc.RpcError):  # type: ignore[misc]  # gRPC has no types for it
        def code(self) -> grpc.StatusCode:
            return grpc.StatusCode.INTERNAL

        def details(self) -> str:
            return "Internal error from Core"

        def trailing_metadata(self) -> tuple[tuple[str, bytes], ...]:
            return ()

    found = from_rpc(Late(), lambda _: None)
    assert (type(found), found.reason) == (Unavailable, "STREAM_ENDED")
