"""Bad input: each case gets its status, its reason and its field, and the server answers afterwards."""

from __future__ import annotations

import grpc
import pytest
from api.bad_input import EVENT, INFINITE, INVALID, LONG, NAN, ONE_SEQUENCE, TABLE, Bad, header, spoiled
from api.rpc_calls import explain_request
from google.protobuf.duration_pb2 import Duration
from grpc_health.v1 import health_pb2, health_pb2_grpc
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Failure, Serving, inputs, tensor


@pytest.mark.parametrize("bad", TABLE, ids=str)
def test_bad_input_is_named(server: Serving, bad: Bad) -> None:
    """Status, reason and field path are those of the table; the server still answers."""
    with pytest.raises(grpc.RpcError) as caught:
        bad.call(server)
    failed = Failure(caught.value)
    assert (failed.code, failed.reason) == (bad.code, bad.reason), failed.message
    assert set(bad.fields) <= set(failed.violations), failed.violations
    assert_serving(server)


def assert_serving(server: Serving) -> None:
    health = health_pb2_grpc.HealthStub(server.channel)
    answer = health.Check(health_pb2.HealthCheckRequest())
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_all_violations_come_at_once(server: Serving) -> None:
    """Several things wrong with one request are all named, those past the limit counted."""
    request = explain_request(
        model=pb.ModelReference(digest="abc"),
        options=pb.ExplainOptions(pruning_tolerance=-1, max_coalitions=0),
        sequence=pb.Sequence(inputs=inputs(spoiled(INFINITE)), events=[EVENT(id=LONG)] * 50),
    )
    with pytest.raises(grpc.RpcError) as caught:
        server.explanations.Explain(request)
    failed = Failure(caught.value)
    expected = {"model.digest", "sequence.inputs[0].tensor", "sequence.events[0].id"}
    assert expected <= set(failed.violations)
    assert len(failed.violations) == 16
    assert any("more)" in text for text in failed.violations.values())


@pytest.mark.slow
def test_a_message_over_the_limit_is_refused(server: Serving) -> None:
    """One byte past 64 MiB is RESOURCE_EXHAUSTED, and the next call works."""
    request = explain_request(model=pb.ModelReference(inline=pb.InlineModel(onnx=bytes(64 << 20))))
    with pytest.raises(grpc.RpcError) as caught:
        server.explanations.Explain(request)
    assert Failure(caught.value).code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert_serving(server)


def test_bytes_that_are_no_message_are_the_callers_fault(server: Serving) -> None:
    """What protobuf cannot parse is INVALID_ARGUMENT, not INTERNAL."""
    call = server.channel.unary_unary("/sequela.v1.ExplanationService/Explain", bytes, bytes)
    with pytest.raises(grpc.RpcError) as caught:
        call(b"\xff\xff\xff")
    failed = Failure(caught.value)
    assert (failed.code, failed.reason) == (INVALID, "MESSAGE_MALFORMED")


def test_a_deadline_too_short_is_refused(server: Serving) -> None:
    """A deadline that has passed before work begins is DEADLINE_EXCEEDED."""
    asked = explain_request(options=pb.ExplainOptions(seed=987))  # nothing that is answered from the store
    with pytest.raises(grpc.RpcError) as caught:
        server.explanations.Explain(asked, timeout=1e-6)
    assert Failure(caught.value).code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert_serving(server)


def test_an_item_of_a_stream_fails_alone(server: Serving) -> None:
    """Bad items are answered in their place with reason and path, good ones around them are explained."""
    good = pb.ExplainStreamRequest(request=explain_request())
    bad = pb.ExplainStreamRequest(request=explain_request(sequence=pb.Sequence()))
    late = pb.ExplainStreamRequest(request=explain_request(), timeout=Duration(seconds=-1))
    answers = list(server.explanations.ExplainStream(iter([good, bad, late, good])))
    assert [answer.index for answer in answers] == [0, 1, 2, 3]
    assert [answer.WhichOneof("outcome") for answer in answers] == [
        "explanation",
        "error",
        "error",
        "explanation",
    ]
    assert (answers[1].error.code, answers[1].error.reason) == (INVALID.value[0], "SEQUENCE_EMPTY")
    assert answers[1].error.violations[0].field == "sequence.inputs"
    assert answers[2].error.violations[0].field == "timeout"


def test_a_sequences_number_is_told(server: Serving) -> None:
    """Which of many sequences was wrong stands in the error's metadata."""
    wrong = pb.CreateBackgroundRequest(sequence=pb.Sequence(inputs=[pb.InputTensor(tensor=tensor([[NAN]]))]))
    messages = [header(model=explain_request().model), ONE_SEQUENCE, ONE_SEQUENCE, wrong]
    with pytest.raises(grpc.RpcError) as caught:
        server.backgrounds.CreateBackground(iter(messages))
    assert Failure(caught.value).facts["sequence_number"] == "2"
