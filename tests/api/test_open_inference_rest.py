"""The Open Inference Protocol's REST form: the same answers as by gRPC, written as JSON."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from api.inference_calls import BACKGROUND, as_json, infer_request, sample_rows, stub, tensors
from api.test_kserve import get, post
from google.protobuf import json_format
from matrix import BY_NAME
from sequela_proto.inference import open_inference_pb2 as oip
from serving import Serving

GRU = BY_NAME["gru"]
INFER = "/v2/models/gru/infer"


@pytest.mark.parametrize("name", ["gru", "multi_input", "classes"])
@pytest.mark.parametrize("outputs", [(), ("score",), ("feature_attributions", "explanation_name")], ids=len)
def test_answers_are_those_of_grpc(serving: Serving, name: str, outputs: tuple[str, ...]) -> None:
    """Every output, number by number; all of them, scores alone, and a choice."""
    request = infer_request(name, sample_rows(BY_NAME[name], 2), outputs, raw=False, background=BACKGROUND)
    wanted = stub(serving).ModelInfer(request)
    found = post(serving, f"/v2/models/{name}/versions/1/infer", as_json(request))
    assert found.status_code == 200, found.text
    body = found.json()
    assert (body["model_name"], body["model_version"], body["id"]) == (name, "1", "alert-7")
    assert body["parameters"]["targets"] == wanted.parameters["targets"].string_param
    assert [(o["name"], o["datatype"], o["shape"]) for o in body["outputs"]] == [
        (o.name, o.datatype, list(o.shape)) for o in wanted.outputs
    ]
    arrays = tensors(wanted)
    for output in body["outputs"]:
        if (
            output["name"] == "explanation"
        ):  # the time that a level took, and that it was found in the store, differ
            continue
        if output["datatype"] == "BYTES":
            assert output["data"] == [text.decode() for text in arrays[output["name"]]]
        else:
            np.testing.assert_array_equal(np.array(output["data"]), arrays[output["name"]].ravel())


def test_what_is_no_number_is_null(serving: Serving) -> None:
    """JSON has no NaN: below the minimum score attributions are null."""
    request = infer_request("gru", sample_rows(GRU, 1), raw=False, background=BACKGROUND, minimum_score=1.5)
    outputs = {o["name"]: o["data"] for o in post(serving, INFER, as_json(request)).json()["outputs"]}
    assert set(outputs["event_attributions"]) == {None}
    assert outputs["explained"] == [False]


def test_data_may_be_nested_and_parameters_lists(serving: Serving) -> None:
    """Rows of rows, and `levels` as JSON writes a list."""
    values = sample_rows(GRU, 2)
    data = [row["events"].tolist() for row in values]
    tensor = {"name": "events", "datatype": "FP32", "shape": [2, 6, 5], "data": data}
    body = {"inputs": [tensor], "parameters": {"background": BACKGROUND, "levels": ["event"]}}
    found = post(serving, INFER, body)
    assert found.status_code == 200, found.text
    names = {o["name"] for o in found.json()["outputs"]}
    assert "event_attributions" in names
    assert "feature_attributions" not in names


def test_the_server_and_its_models_describe_themselves(serving: Serving) -> None:
    """Live, ready, name and version; a model's metadata is that of gRPC."""
    assert get(serving, "/v2/health/live").json() == {"live": True}
    assert get(serving, "/v2/health/ready").json() == {"ready": True}
    assert get(serving, "/v2").json()["name"] == "sequela"
    assert get(serving, "/v2/models/gru/ready").json() == {"name": "gru", "ready": True}
    said = stub(serving).ModelMetadata(oip.ModelMetadataRequest(name="multi_input"))
    found = get(serving, "/v2/models/multi_input").json()
    assert json_format.ParseDict(found, oip.ModelMetadataResponse()) == said


TENSOR: dict[str, Any] = {"name": "events", "datatype": "FP32", "shape": [1, 1, 5], "data": [0.0] * 5}


def with_tensor(**changed: Any) -> Any:
    return {"inputs": [{**TENSOR, **changed}]}


BAD = [
    ("no inputs", {}, "FIELD_INVALID", "inputs"),
    ("no name", {"inputs": [{"shape": [1]}]}, "FIELD_INVALID", "inputs[0].name"),
    ("another field", with_tensor(dat=1), "FIELD_UNKNOWN", "inputs[0].dat"),
    ("a shape of text", with_tensor(shape=["a"]), "TENSOR_SHAPE", "inputs[0].shape"),
    ("a shape too large", with_tensor(shape=[1 << 70]), "TENSOR_SHAPE", "inputs[0].shape"),
    ("data of text", with_tensor(data=["a"] * 5), "TENSOR_VALUE", "inputs[0].data"),
    ("ragged data", with_tensor(data=[[1], [1, 2]]), "TENSOR_VALUE", "inputs[0].data"),
    (
        "fractions for integers",
        with_tensor(datatype="INT64", data=[0.5] * 5),
        "TENSOR_VALUE",
        "inputs[0].data",
    ),
    ("too few", with_tensor(data=[0.0] * 4), "TENSOR_SIZE", "inputs[0]"),
    ("too large for its type", with_tensor(data=[1e300] * 5), "TENSOR_NOT_FINITE", "inputs[0]"),
    ("texts", with_tensor(datatype="BYTES", data=["a"]), "TENSOR_DTYPE", "inputs[0].datatype"),
    (
        "a null parameter",
        {**with_tensor(), "parameters": {"seed": None}},
        "PARAMETER_INVALID",
        "parameters.seed",
    ),
    (
        "a parameter too large",
        {**with_tensor(), "parameters": {"seed": 1 << 70}},
        "OPTION_OUT_OF_RANGE",
        "parameters.seed",
    ),
    ("no such output", {**with_tensor(), "outputs": [{"name": "x"}]}, "OUTPUT_UNKNOWN", "outputs[0].name"),
    ("an id of number", {**with_tensor(), "id": 7}, "FIELD_INVALID", "id"),
]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad[0])
def test_bad_input_is_named(serving: Serving, bad: Any) -> None:
    """400 with reason and path, however the JSON is wrong."""
    _, body, reason, field = bad
    found = post(serving, INFER, json.dumps(body))
    assert (found.status_code, found.json()["reason"]) == (400, reason), found.text
    assert field in {each["field"] for each in found.json()["violations"]}
