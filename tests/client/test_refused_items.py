"""Items of a stream that a busy server refuses are sent again, in their order, within the timeout and the budget."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest
from client.scripted import Script, serving
from google.protobuf.duration_pb2 import Duration
from sequela_client import AsyncSequela, Outcome, Retries, Sequela, Sequence, TryAgain
from sequela_proto.v1 import sequela_pb2 as pb

SEQUENCE = np.ones((3, 2))
QUICK = Retries(first_wait_seconds=0.001)


class BusyScript(Script):
    """Refuses the items of a stream with these ids.

    Args:
        refused: the ids.
        reason: why.
        code: the number of the gRPC code.
        retry_after: when the server asks to come again; None if it does not.
    """

    def __init__(
        self, *refused: str, reason: str = "QUEUE_FULL", code: int = 8, retry_after: float | None = 0.01
    ) -> None:
        super().__init__()
        self.refused, self.reason, self.code, self.retry_after = refused, reason, code, retry_after

    def ExplainStream(self, requests: Any, context: Any) -> Iterator[Any]:  # noqa: N802 the method has gRPC's name
        for index, message in enumerate(requests):
            if message.request.caller_id not in self.refused:
                answer = next(iter(super().ExplainStream([message], context)))
                answer.index = index
                yield answer
                continue
            error = pb.ItemStatus(code=self.code, message="full", reason=self.reason)
            if self.retry_after is not None:
                delay = Duration()
                delay.FromNanoseconds(round(self.retry_after * 1e9))
                error.retry_delay.CopyFrom(delay)
            yield pb.ExplainStreamResponse(index=index, error=error)


def numbered(count: int) -> list[Sequence]:
    """Sequences with their numbers as ids."""
    return [Sequence(SEQUENCE, id=str(number)) for number in range(count)]


def ask(script: Script, **arguments: Any) -> list[Outcome]:
    """Explains six sequences over one stream."""
    timeout, retries = arguments.pop("timeout", 60), arguments.pop("retries", QUICK)
    with serving(script) as where, Sequela(where, retries=retries, timeout=timeout) as client:
        return list(client.explain_many(numbered(6), model="m", **arguments))


def test_refused_items_are_sent_again() -> None:
    """Their outcomes are in order, and they are asked for as the stream was: as bulk work, with its background."""
    script = BusyScript("1", "2", "5")
    outcomes = ask(script, background=np.zeros(2), dry_run=True)
    assert [each.unwrap().caller_id for each in outcomes] == list("012345")
    again = [request for name, request in script.calls if name == "Explain"]
    assert [request.caller_id for request in again] == list("125")
    assert all(request.priority == pb.PRIORITY_BULK and request.dry_run for request in again)
    assert all(request.background.HasField("values") and request.model.name == "m" for request in again)


def test_asyncio_does_the_same() -> None:
    """Through the same server."""

    async def explain(where: str) -> list[Outcome]:
        async with AsyncSequela(where, retries=QUICK) as client:
            return [
                each async for each in client.explain_many(numbered(6), model="m", priority="interactive")
            ]

    script = BusyScript("0", "4")
    with serving(script) as where:
        outcomes = asyncio.run(explain(where))
    assert [each.unwrap().caller_id for each in outcomes] == list("012345")
    again = [request for name, request in script.calls if name == "Explain"]
    assert [request.caller_id for request in again] == ["0", "4"]
    assert all(request.priority == pb.PRIORITY_INTERACTIVE for request in again)


@pytest.mark.parametrize(
    ("server", "client"),
    [
        ({"retry_after": None}, {}),
        ({"reason": "DEADLINE_SPENT_WAITING", "code": 4}, {}),
        ({"retry_after": 5.0}, {"timeout": 4}),
        ({}, {"retries": Retries(attempts=1)}),
        ({}, {"retries": Retries(budget=0)}),
    ],
    ids=["no time given", "time is up", "beyond the timeout", "no attempts", "no budget"],
)
def test_others_are_returned_at_once(server: dict[str, Any], client: dict[str, Any]) -> None:
    """As errors of their sequences, while the others are explained."""
    script = BusyScript("3", **server)
    started = time.monotonic()
    outcomes = ask(script, **client)
    assert time.monotonic() - started < 4
    assert [each.index for each in outcomes if each.error] == [3]
    assert isinstance(outcomes[3].error, TryAgain)
    assert "Explain" not in script.names


def test_attempts_end() -> None:
    """After four, the first one over the stream included; the outcome has the refusal."""
    script = BusyScript("3")
    script.failures = [(grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL", "full", "", 0.001)] * 9
    outcomes = ask(script)
    assert [each.index for each in outcomes if each.error] == [3]
    assert outcomes[3].error is not None
    assert outcomes[3].error.reason == "QUEUE_FULL"
    assert script.names.count("Explain") == 3
