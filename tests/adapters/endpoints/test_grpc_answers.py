"""What a server answers over gRPC: every form of an answer is read, and what is none is never a wrong number."""

from __future__ import annotations

from typing import Any

import grpc
import numpy as np
import pytest
from inference_server import InferenceServer, ServedModel, infer_answer
from sequela.errors import DoesNotFit
from sequela_proto.inference import open_inference_pb2 as pb
from transports import (
    ROWS,
    SCORER,
    failing,
    opened,
    soon,
)

Code = grpc.StatusCode


def answering(**changed: Any) -> Any:
    """A good answer to a call of two rows, with fields changed."""
    good: dict[str, Any] = {
        "name": "scorer",
        "version": "1",
        "output": "score",
        "datatype": "FP32",
        "values": np.array([0.5, 0.25]),
    }
    return infer_answer(**{**good, **changed})


def typed(datatype: str, shape: list[int], raw: bytes = b"", **contents: Any) -> Any:
    """An answer whose numbers come typed."""
    answer = pb.ModelInferResponse(model_name="scorer", raw_output_contents=[raw] if raw else [])
    answer.outputs.add(
        name="score", datatype=datatype, shape=shape, contents=pb.InferTensorContents(**contents)
    )
    return answer


def raw(datatype: str, content: bytes, *shape: int) -> Any:
    """An answer of these bytes."""
    answer = pb.ModelInferResponse(model_name="scorer", raw_output_contents=[content])
    answer.outputs.add(name="score", datatype=datatype, shape=shape)
    return answer


def with_empty_contents() -> Any:
    answer = answering()
    answer.outputs[0].contents.SetInParent()
    return answer


GOOD = {
    "empty contents beside the bytes, as MLServer sends them": (with_empty_contents(), [0.5, 0.25]),
    "FP64": (answering(datatype="FP64"), [0.5, 0.25]),
    "FP16": (answering(datatype="FP16"), [0.5, 0.25]),
    "INT64": (answering(datatype="INT64", values=np.array([-3, 1 << 40])), [-3, 1 << 40]),
    "INT8": (raw("INT8", b"\xff\x02", 2), [-1, 2]),
    "UINT8": (raw("UINT8", b"\xff\x02", 2), [255, 2]),
    "BOOL": (answering(datatype="BOOL", values=np.array([True, False])), [1, 0]),
    "typed FP32": (typed("FP32", [2], fp32_contents=[0.5, 0.25]), [0.5, 0.25]),
    "typed FP64": (typed("FP64", [2], fp64_contents=[0.1, 0.2]), [0.1, 0.2]),
    "typed INT16": (typed("INT16", [2], int_contents=[-5, 6]), [-5, 6]),
    "typed UINT32": (typed("UINT32", [2], uint_contents=[5, 6]), [5, 6]),
    "typed BOOL": (typed("BOOL", [2], bool_contents=[True, False]), [1, 0]),
    "no name, no version": (answering(name="", version=""), [0.5, 0.25]),
    "one column": (answering(values=np.array([[0.5], [0.25]])), [[0.5], [0.25]]),
    "NaN, which the model layer refuses": (answering(values=np.array([np.nan, np.inf])), [np.nan, np.inf]),
}


@pytest.mark.parametrize("case", GOOD)
def test_forms_of_an_answer(server: InferenceServer, case: str) -> None:
    """Raw or typed, of every type of numbers, they become float64 of the same values and shape."""
    answer, values = GOOD[case]
    server.twists["ModelInfer"] = lambda request, context, proper: answer
    with opened(server.uri("scorer"), version="1") as transport:
        got = transport.infer({"events": ROWS}, "score", soon())
    assert got.dtype == np.float64
    np.testing.assert_array_equal(got, values)


def doubled() -> Any:
    answer = answering()
    answer.raw_output_contents.append(b"")
    return answer


BAD = {
    "another model": (answering(name="other"), "'other'"),
    "another version": (answering(version="2"), "'2'"),
    "another output": (answering(output="other"), "'score'"),
    "no output": (pb.ModelInferResponse(model_name="scorer"), "none"),
    "too few rows": (answering(values=np.array([0.5])), "for 2 rows"),
    "too many rows": (answering(values=np.zeros(3)), "for 2 rows"),
    "no axes": (raw("FP32", bytes(4)), "for 2 rows"),
    "too few bytes": (raw("FP32", bytes(4), 2), "1 values"),
    "odd bytes": (raw("FP32", bytes(7), 2), "7 bytes"),
    "a negative size": (raw("FP32", bytes(8), 2, -1), "(2, -1)"),
    "two negative sizes": (raw("FP32", bytes(8), -2, -1), "(-2, -1)"),
    "a huge shape": (raw("FP32", bytes(8), 2, 1 << 62), "2 values"),
    "strings": (raw("BYTES", b"\x01\x00\x00\x00a", 1), "BYTES"),
    "an unknown type": (raw("FP8", b"ab", 2), "FP8"),
    "bytes for no output": (doubled(), "1 outputs, but there are raw contents of 2"),
    "both raw and typed": (typed("FP32", [2], bytes(8), fp32_contents=[1, 2]), "as bytes and as numbers"),
    "typed in the wrong field": (typed("FP32", [2], fp64_contents=[1, 2]), "0 values"),
    "typed FP16": (typed("FP16", [2], fp32_contents=[1, 2]), "FP16"),
    "typed beyond INT8": (
        typed("INT8", [2], int_contents=[300, 1]),
        "from -128 to 127 (INT8), not 300 at [0]",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_answers_that_are_none(server: InferenceServer, case: str) -> None:
    """A wrong answer is never a wrong number."""
    answer, words = BAD[case]
    server.twists["ModelInfer"] = lambda request, context, proper: answer
    with (
        opened(server.uri("scorer"), version="1") as transport,
        failing(DoesNotFit, "ENDPOINT_ANSWER_INVALID", words),
    ):
        transport.infer({"events": ROWS}, "score", soon())


@pytest.mark.parametrize(
    ("name", "versions", "word"), [("other", ["1"], "'other'"), ("scorer", ["2"], "'2'")]
)
def test_metadata_of_another_model(
    server: InferenceServer, name: str, versions: list[str], word: str
) -> None:
    """Metadata must be of the model and the version asked for."""
    answer = pb.ModelMetadataResponse(name=name, versions=versions)
    server.twists["ModelMetadata"] = lambda request, context, proper: answer
    with (
        opened(server.uri("scorer"), version="1") as transport,
        failing(DoesNotFit, "ENDPOINT_ANSWER_INVALID", "metadata", word),
    ):
        transport.describe(soon())


def test_a_call_over_our_limit(server: InferenceServer) -> None:
    """Is not sent; the error names both sizes."""
    with (
        opened(server.uri("scorer"), message_bytes=1000) as transport,
        failing(DoesNotFit, "ENDPOINT_REFUSED", "limit of 1000 bytes"),
    ):
        transport.infer({"events": np.zeros((100, 4, 3), np.float32)}, "", soon())
    assert server.calls == []


def test_an_answer_over_our_limit(server: InferenceServer) -> None:
    """Is not read; that is no overload, and asking again would not help."""
    server.twists["ModelInfer"] = lambda request, context, answer: answering(values=np.zeros(1000))
    with (
        opened(server.uri("scorer"), message_bytes=1000) as transport,
        failing(DoesNotFit, "ENDPOINT_ANSWER_INVALID", "limit of 1000 bytes"),
    ):
        transport.infer({"events": ROWS}, "", soon())


def test_a_call_over_the_servers_limit() -> None:
    """Is a refusal too, with the server's words: neither overload nor an answer of ours."""
    with (
        InferenceServer({"m": ServedModel(SCORER)}, message_bytes=1000) as server,
        opened(server.uri("m")) as transport,
        failing(DoesNotFit, "ENDPOINT_REFUSED", "1000"),
    ):
        transport.infer({"events": np.zeros((100, 4, 3), np.float32)}, "", soon())
