"""Which queue a request waits in, and what the server reads of a message before it lets it in."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest
from demo_alert import DEMO, MODEL, request
from sequela.api.admission.priority import Priority
from sequela.api.admission.request_shape import ExplainShape, ScoreShape, shape_of
from sequela.api.grpc.decode.explanations import explain_request
from sequela.api.grpc.message_heads import explain_head, score_head
from sequela.explain.limits import Limits
from sequela_client import Sequela
from sequela_client.errors import CallerError
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Failure, Serving, embedded
from waiting import eventually

QUEUES = ("interactive", "bulk")


@pytest.fixture(scope="module")
def server() -> Iterator[Serving]:
    with Serving(embedded(model_repository=DEMO / "models")) as running:
        yield running


def begun(server: Serving) -> list[float]:
    """Returns how many requests have begun, by queue."""
    registry = server.wired.metrics.registry
    name = "sequela_queue_wait_seconds_count"
    return [registry.get_sample_value(name, {"queue": queue}) or 0.0 for queue in QUEUES]


def small(**fields: object) -> pb.ExplainRequest:
    message = request()
    message.options.levels.append(pb.LEVEL_EVENT)
    message.MergeFrom(pb.ExplainRequest(**fields))  # type: ignore[arg-type]
    return message


@pytest.mark.parametrize(
    ("priority", "queue"),
    [
        (pb.PRIORITY_UNSPECIFIED, "interactive"),
        (pb.PRIORITY_INTERACTIVE, "interactive"),
        (pb.PRIORITY_BULK, "bulk"),
    ],
)
def test_explain_waits_where_it_says(server: Serving, priority: pb.Priority.ValueType, queue: str) -> None:
    """By default among interactive requests. Equal requests share their answer whatever their priority."""
    before = begun(server)
    answer = server.explanations.Explain(small(priority=priority))
    grown = [after - first for after, first in zip(begun(server), before, strict=True)]
    assert grown == [float(each == queue) for each in QUEUES]
    assert server.explanations.Explain(small()).explanation.name == answer.explanation.name


def test_a_stream_is_bulk_unless_its_requests_say_otherwise(server: Serving) -> None:
    """Of three requests, one is interactive; scores are too."""
    before = begun(server)
    items = [pb.ExplainStreamRequest(request=small(priority=each)) for each in (0, 1, 2)]
    assert all(answer.HasField("explanation") for answer in server.explanations.ExplainStream(iter(items)))
    scored = pb.ScoreRequest(model=small().model, sequences=[small().sequence])
    server.explanations.Score(scored)
    assert [after - first for after, first in zip(begun(server), before, strict=True)] == [2.0, 2.0]


def test_an_unknown_priority_is_refused(server: Serving) -> None:
    """With the field and the values that are allowed."""
    message = small()
    message.priority = 7  # type: ignore[assignment]
    with pytest.raises(grpc.RpcError) as caught:
        server.explanations.Explain(message)
    failed = Failure(caught.value)
    assert failed.code is grpc.StatusCode.INVALID_ARGUMENT
    assert failed.message == "priority: 7 is not one of 1 (INTERACTIVE), 2 (BULK)"


def test_the_client_says_the_priority(server: Serving) -> None:
    """As a word; any other word is an error before anything is sent."""
    with Sequela(server.bound.grpc) as sequela:
        inputs = {each.name: _array(each.tensor) for each in small().sequence.inputs}
        before = begun(server)
        sequela.explain(inputs, model=MODEL, levels=["event"], priority="bulk")
        assert list(sequela.explain_many([inputs], model=MODEL, levels=["event"], priority="interactive"))
        assert [after - first for after, first in zip(begun(server), before, strict=True)] == [1.0, 1.0]
        with pytest.raises(CallerError, match="interactive, bulk"):
            sequela.explain(inputs, model=MODEL, priority="urgent")  # type: ignore[arg-type]


def test_the_metrics_of_an_idle_server_are_zero(server: Serving) -> None:
    """What an autoscaler and an operator look at."""
    registry = server.wired.metrics.registry
    for queue in QUEUES:
        eventually(
            lambda queue=queue: (
                registry.get_sample_value("sequela_backlog_core_seconds", {"queue": queue}) == 0
            )  # type: ignore[misc]
        )
    # It falls step by step, if the machine was so busy that requests before this test had to wait.
    eventually(lambda: registry.get_sample_value("sequela_brownout_level") == 0)


def test_the_head_of_a_message_has_its_size() -> None:
    """The same as the whole message, once that is decoded."""
    message = request()
    message.options.max_coalitions, message.options.target_standard_error = 512, 0.01
    message.priority = pb.PRIORITY_BULK
    head = explain_head(message.SerializeToString())
    assert head.priority is Priority.BULK
    assert head.model.name == MODEL
    assert head.shape == shape_of(explain_request(message, Limits())) == ExplainShape(20, 17, 3, 512, 0.01)
    plain = explain_head(request().SerializeToString())
    assert (plain.shape, plain.priority) == (ExplainShape(20, 17), None)
    scored = pb.ScoreRequest(model=message.model, sequences=[message.sequence] * 3)
    assert score_head(scored.SerializeToString()).shape == ScoreShape(3 * 20 * 17)


def test_a_shape_that_lies_is_not_believed() -> None:
    """A message has no more values than bytes, so that nonsense is refused as what it is, and not as too much work."""
    message = pb.ExplainRequest()
    tensor = message.sequence.inputs.add().tensor
    tensor.shape.extend([2**62, 2**62])
    content = message.SerializeToString()
    shape = explain_head(content).shape
    assert shape.events * shape.columns <= len(content)
    tensor.shape[:] = [-5, 0]
    shape = explain_head(message.SerializeToString()).shape
    assert (shape.events, shape.columns) == (1, 1)


def _array(tensor: pb.Tensor) -> object:
    import numpy as np  # noqa: PLC0415

    values = list(tensor.numbers) or list(tensor.integers)
    if tensor.raw:
        values = np.frombuffer(tensor.raw, dtype={1: "<f4", 2: "<f8", 3: "<i4", 4: "<i8"}[tensor.dtype])  # type: ignore[assignment]
    return np.asarray(values).reshape(tuple(tensor.shape))
