"""The Open Inference Protocol for models whose inputs are not (batch, events, columns), and for missing values."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from alone import Alone
from api.inference_calls import infer_request, stub, tensors
from endpoint_folders import write_local
from sequela_proto.inference import open_inference_pb2 as oip
from serving import Serving, embedded
from waiting import PATIENCE

MODELS = Path(__file__).resolve().parents[1] / "fixtures" / "cases" / "models"
CLIENT = httpx.Client(trust_env=False, timeout=PATIENCE)
RNG = np.random.default_rng(3)
HOLED = RNG.normal(size=(5, 3)).astype(np.float32)
HOLED[1, 2] = np.nan


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    root = tmp_path_factory.mktemp("models")
    allowing = json.dumps(
        {"inputs": [{"name": "x", "role": "events", "width": 3, "allow_nan": True}]}
    ).encode()
    for name, schema in {"seq2seq": None, "stateful": None, "frames": None, "nan_aware": allowing}.items():
        write_local(root, name, (MODELS / f"{name}.onnx").read_bytes(), schema)
    with Serving(embedded(model_repository=root)) as serving:
        yield serving


def described(server: Serving, name: str) -> dict[str, list[int]]:
    found = stub(server).ModelMetadata(oip.ModelMetadataRequest(name=name))
    return {item.name: list(item.shape) for item in found.inputs}


def test_metadata_say_what_callers_send(server: Serving) -> None:
    """The shapes of a future and of frames; states are nobody's to send."""
    assert described(server, "seq2seq") == {"past": [-1, 8, 3], "future": [-1, 4, 2]}
    assert described(server, "frames") == {"x": [-1, -1, 3, 4]}
    assert described(server, "stateful") == {"x": [-1, -1, 3]}


def test_a_known_future_in_its_shape(server: Serving) -> None:
    """(n, 4, 2) for n rows: each row's score is the model's own."""
    rows = [
        {
            "past": RNG.normal(size=(8, 3)).astype(np.float32),
            "future": RNG.normal(size=(4, 2)).astype(np.float32),
        }
        for _ in range(2)
    ]
    found = tensors(stub(server).ModelInfer(infer_request("seq2seq", rows, ["raw_score"])))["raw_score"]
    scorer = Alone(
        (MODELS / "seq2seq.onnx").read_bytes(),
        lambda row: {name: values[None] for name, values in row.items()},
    ).scorer()
    expected = scorer({name: np.stack([row[name] for row in rows]) for name in rows[0]})
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_missing_values_as_bytes_and_as_null(server: Serving) -> None:
    """NaN in FP32 over gRPC, null in JSON over both REST protocols: the same score, which is the model's own."""
    scorer = Alone((MODELS / "nan_aware.onnx").read_bytes(), lambda row: {"x": row["x"][None]}).scorer()
    expected = scorer({"x": HOLED[None]})[0, 0]
    for raw in (True, False):
        request = infer_request("nan_aware", [{"x": HOLED}], ["raw_score"], raw=raw)
        found = tensors(stub(server).ModelInfer(request))["raw_score"]
        assert found[0, 0] == pytest.approx(expected, abs=1e-6)
    rows = [[None if np.isnan(value) else float(value) for value in event] for event in HOLED]
    base = f"http://{server.bound.http}"
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, 5, 3], "data": rows}
    v2 = CLIENT.post(
        f"{base}/v2/models/nan_aware/infer", json={"inputs": [tensor], "outputs": [{"name": "raw_score"}]}
    )
    assert v2.json()["outputs"][0]["data"][0] == pytest.approx(expected, abs=1e-6)
    v1 = CLIENT.post(f"{base}/v1/models/nan_aware:predict", json={"instances": [rows]})
    assert np.ravel(v1.json()["predictions"])[0] == pytest.approx(expected, abs=1e-6)
