"""Odd requests at the server's doors, gRPC and HTTP: right, or a word that helps."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
from field.asking import SEQUENCE
from field.parts import built, pooled
from field.truth import truth
from sequela_client import CallerError, Sequela
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Failure, Serving, embedded

NODES, STORED = pooled("x")
POOLED = built(NODES, STORED)
SCORE = truth(POOLED, SEQUENCE).score
FLOAT = pb.DATA_TYPE_FLOAT32
RAW = SEQUENCE.tobytes()
PREDICT, INFER = "/v1/models/pooled:predict", "/v2/models/pooled/infer"
BODY = json.dumps({"instances": [SEQUENCE.tolist()]}).encode()


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A server with one model, `pooled`, and a background of zeros."""
    folder = tmp_path_factory.mktemp("models") / "pooled" / "1"
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(POOLED)
    (folder / "schema.json").write_text('{"background": {"x": [0, 0, 0]}}')
    with Serving(embedded(model_repository=folder.parents[1])) as running:
        yield running


def post(door: Serving, path: str, content: bytes | str, **headers: str) -> httpx.Response:
    return httpx.post(
        f"http://{door.bound.http}{path}", content=content, headers=headers, timeout=20, verify=False
    )


def infer(**changed: Any) -> str:
    tensor = {"name": "x", "shape": [1, 5, 3], "datatype": "FP32", "data": SEQUENCE.ravel().tolist()}
    return json.dumps({"inputs": [tensor | changed], "outputs": [{"name": "score"}]})


def explained(door: Serving, tensor: pb.Tensor, **how: Any) -> float:
    """The score of a sequence of one tensor."""
    request = pb.ExplainRequest(
        model=pb.ModelReference(name="pooled"), sequence=pb.Sequence(inputs=[pb.InputTensor(tensor=tensor)])
    )
    answer = door.explanations.Explain(request, **{"timeout": 20, **how})
    return float(answer.explanation.targets[0].raw_score)


TAKEN = {
    "raw": pb.Tensor(dtype=FLOAT, shape=[5, 3], raw=RAW),
    "numbers without a type": pb.Tensor(shape=[5, 3], numbers=SEQUENCE.ravel().tolist()),
    "doubles": pb.Tensor(dtype=pb.DATA_TYPE_FLOAT64, shape=[5, 3], raw=SEQUENCE.astype("<f8").tobytes()),
}


@pytest.mark.parametrize("name", TAKEN)
def test_tensors_are_taken(door: Serving, name: str) -> None:
    """The same score, however the elements travel."""
    assert explained(door, TAKEN[name]) == pytest.approx(SCORE, abs=1e-6)


@pytest.mark.parametrize(
    "how",
    [
        {"compression": grpc.Compression.Gzip},
        {"timeout": 1e9},
        {"timeout": None},
        {"metadata": [("trace-bin", b"\xff")]},
        {"metadata": [("note", "x" * 7000)]},
    ],
    ids=str,
)
def test_calls_of_any_make(door: Serving, how: dict[str, Any]) -> None:
    """Compressed, with long deadlines or none, with more metadata than usual."""
    assert explained(door, TAKEN["raw"], **how) == pytest.approx(SCORE, abs=1e-6)


REFUSED = {
    "no type for raw": (pb.Tensor(shape=[5, 3], raw=RAW), "for raw, not 0"),
    "no shape": (pb.Tensor(dtype=FLOAT, raw=RAW), "60 bytes"),
    "a shape past memory": (pb.Tensor(dtype=FLOAT, shape=[2**62, 2**62], raw=RAW), "60 bytes"),
    "axes below zero": (pb.Tensor(dtype=FLOAT, shape=[-5, -3], raw=RAW), "at least 1"),
    "doubles called floats": (pb.Tensor(dtype=FLOAT, shape=[5, 3], raw=RAW * 2), "120 bytes"),
    "no events": (pb.Tensor(dtype=FLOAT, shape=[0, 3]), "at least one event"),
    "past float32": (
        pb.Tensor(dtype=FLOAT, shape=[1, 3], numbers=[1, 1e39, 1]),
        "1e+39 at [1] does not fit float32",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_tensors_that_are_wrong_are_named(door: Serving, name: str) -> None:
    """The field, the value and the limit."""
    tensor, words = REFUSED[name]
    with pytest.raises(grpc.RpcError) as caught:
        explained(door, tensor)
    failed = Failure(caught.value)
    assert failed.code is grpc.StatusCode.INVALID_ARGUMENT
    assert words in failed.message


def test_a_message_past_the_limit() -> None:
    """triton-inference-server/server#1776, SeldonIO/MLServer#290: both sizes are said, and not to try again."""
    with (
        Serving(embedded(max_message_bytes=1 << 20)) as door,
        Sequela(door.bound.grpc) as client,
        pytest.raises(CallerError, match=r"1200\d+ vs\. 1048576") as caught,
    ):
        client.explain(np.zeros((100_000, 3), "<f4"), model="pooled")
    assert caught.value.reason == "MESSAGE_TOO_LARGE"


def test_more_than_four_megabytes_go_through(door: Serving) -> None:
    """gRPC's own limit is 4 MiB; here the sequence is what is too long, not its message."""
    with (
        Sequela(door.bound.grpc) as client,
        pytest.raises(CallerError, match="500000 events exceed the limit of 10000"),
    ):
        client.explain(np.zeros((500_000, 3)), model="pooled")


HTTP_TAKEN = {
    "instances": (PREDICT, BODY),
    "a byte order mark": (PREDICT, b"\xef\xbb\xbf" + BODY),
    "a tensor": (INFER, infer()),
    "nested data": (INFER, infer(data=[SEQUENCE.tolist()])),
    "doubles": (INFER, infer(datatype="FP64")),
}


@pytest.mark.parametrize("name", HTTP_TAKEN)
def test_bodies_are_taken(door: Serving, name: str) -> None:
    """The same score, in both protocols."""
    answer = post(door, *HTTP_TAKEN[name])
    assert answer.status_code == 200, answer.text
    body = answer.json()
    found = body["predictions"][0][0] if "predictions" in body else body["outputs"][0]["data"][0]
    assert found == pytest.approx(SCORE, abs=1e-6)


HTTP_REFUSED = {
    "a number that JSON lacks": (
        PREDICT,
        b'{"instances": [[[NaN, 1, 2]]]}',
        "NaN is not a valid JSON number",
    ),
    "a value that is missing": (PREDICT, b'{"instances": [[[null, 1, 2]]]}', "contains nan, first at"),
    "numbers as text": (PREDICT, b'{"instances": [[["1", "2", "3"]]]}', "must be numbers"),
    "records": (PREDICT, b'{"instances": [[{"a": 1}]]}', "must be numbers"),
    # serde-rs/json#762: what one parser drops, another keeps. Before: the last one won.
    "instances given twice": (
        PREDICT,
        b'{"instances": [[[1, 1, 1]]], "instances": [[[2, 2, 2]]]}',
        "'instances' occurs twice",
    ),
    "an input given twice": (
        PREDICT,
        b'{"instances": [{"x": [[1, 1, 1]], "x": [[2, 2, 2]]}]}',
        "'x' occurs twice",
    ),
    "a data frame": (PREDICT, b'{"dataframe_split": {}}', "is not a field"),
    "past FP32": (INFER, infer(data=[1e39] * 15), "1e+39 at [0], but the largest FP32 is 3.4028e+38"),
    "a shape of other elements": (
        INFER,
        infer(shape=[1, 4, 3]),
        "15 values, which do not fill the shape (1, 4, 3)",
    ),
    "no batch": (
        INFER,
        infer(shape=[5, 3]),
        "this is the shape of one row, because the first axis",
    ),
    "one sequence as all instances": (
        PREDICT,
        json.dumps({"instances": SEQUENCE.tolist()}).encode(),
        "this is the shape of one row, because the first axis is the batch",
    ),
    "a free axis": (INFER, infer(shape=[1, -1, 3]), "every size must be at least 1"),
    "half precision": (INFER, infer(datatype="FP16"), "FP32"),
    "a fraction as an integer": (INFER, infer(datatype="INT64", data=[1.5] * 15), "INT64"),
    "a tensor of another name": (INFER, infer(name="input__0"), "its inputs are x"),
}


@pytest.mark.parametrize("name", HTTP_REFUSED)
def test_bodies_that_are_wrong_are_named(door: Serving, name: str) -> None:
    """What is wrong, where, and what is allowed."""
    path, content, words = HTTP_REFUSED[name]
    answer = post(door, path, content)
    assert answer.status_code == 400
    assert words in answer.json()["error"]


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "deflate", "br"])
def test_compressed_bodies_are_told_apart_from_bad_ones(door: Serving, encoding: str) -> None:
    """triton-inference-server/client#2, tensorflow/serving#1091. Before: "'utf-8' codec can't decode byte 0x8b"."""
    answer = post(door, PREDICT, gzip.compress(BODY), **{"content-encoding": encoding})
    assert answer.status_code == 415
    assert f"Content-Encoding: {encoding.lower()}" in answer.json()["error"]
    assert post(door, PREDICT, BODY, **{"content-encoding": "identity"}).status_code == 200
