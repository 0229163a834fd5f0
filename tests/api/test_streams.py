"""Answers of a stream: in order, several at work, never more than the window ahead."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import grpc
import pytest
from api.made import Gate, Scripted
from api.rpc_calls import explain_request
from sequela.concurrency.deadline import Deadline
from sequela.explain.request import ExplainRequest
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Failure, Serving, embedded
from waiting import PATIENCE


def items(count: int) -> Iterator[pb.ExplainStreamRequest]:
    for index in range(count):
        yield pb.ExplainStreamRequest(request=explain_request(caller_id=str(index)))


def test_answers_keep_the_order() -> None:
    """The first question ends only after the second one has; it is still answered first."""
    second_done = threading.Event()

    def act(question: ExplainRequest, _: Deadline) -> None:
        if question.caller_id == "0":
            assert second_done.wait(PATIENCE)
        else:
            second_done.set()

    with Serving(embedded(upload_engines=2), explainer=Scripted(act)) as server:
        answers = list(server.explanations.ExplainStream(items(5)))
    assert [answer.index for answer in answers] == [0, 1, 2, 3, 4]
    assert [answer.explanation.caller_id for answer in answers] == ["0", "1", "2", "3", "4"]


def test_no_more_than_the_window_is_read_ahead() -> None:
    """With a window of three and no answer yet, three questions have begun and the fourth has not."""
    gate = Gate()
    with Serving(embedded(upload_engines=8, stream_window=3), explainer=gate) as server:
        call = server.explanations.ExplainStream(items(6))
        for _ in range(3):
            assert gate.begun.acquire(timeout=PATIENCE)
        assert not gate.begun.acquire(timeout=0.2)
        gate.open.set()
        assert len(list(call)) == 6


def test_an_unexpected_error_of_one_item_leaves_the_others() -> None:
    """A fault of ours is INTERNAL for its item, and tells nothing of its cause."""

    def act(question: ExplainRequest, _: Deadline) -> None:
        if question.caller_id == "1":
            raise RuntimeError("secret")

    with Serving(explainer=Scripted(act)) as server:
        answers = list(server.explanations.ExplainStream(items(3)))
    assert [answer.WhichOneof("outcome") for answer in answers] == ["explanation", "error", "explanation"]
    assert (answers[1].error.code, answers[1].error.reason) == (13, "INTERNAL")
    assert "secret" not in str(answers[1])


def test_a_malformed_item_ends_the_stream_with_its_fault() -> None:
    """What is no message at all cannot be answered by number: the call is INVALID_ARGUMENT."""
    with Serving(explainer=Scripted(lambda *_: None)) as server:
        call = server.channel.stream_stream("/sequela.v1.ExplanationService/ExplainStream", bytes, bytes)
        with pytest.raises(grpc.RpcError) as caught:
            list(call(iter([b"\xff\xff"])))
    assert Failure(caught.value).reason == "MESSAGE_MALFORMED"
