"""KServe's first protocol: JSON in, JSON out, and the same explanations as through sequela.v1."""

from __future__ import annotations

import json
from typing import Any

import httpx
import numpy as np
import pytest
from api import inference_calls
from api.inference_calls import BACKGROUND, instances, ours, sample_rows
from google.protobuf import json_format
from matrix import BY_NAME
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Serving, embedded
from waiting import PATIENCE, eventually

GRU = BY_NAME["gru"]
SAME = {"rtol": 0, "atol": 1e-12}
USUAL = {"background": BACKGROUND}


# Every request has a connection of its own, but not every one reads the machine's certificates anew.
CLIENT = httpx.Client(timeout=PATIENCE, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))


def post(server: Serving, path: str, body: Any, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes | str) else json.dumps(body)
    return CLIENT.post(f"http://{server.bound.http}{path}", content=content, headers=headers)


def get(server: Serving, path: str) -> httpx.Response:
    return CLIENT.get(f"http://{server.bound.http}{path}")


@pytest.mark.parametrize("name", ["gru", "multi_input", "classes"])
def test_explanations_are_those_of_sequela_v1(serving: Serving, name: str) -> None:
    """Every instance, each of its own length: attributions of all levels equal to 1e-12, and the scores beside them."""
    case = BY_NAME[name]
    rows = [case.sample(length, length) for length in (3, 7)]
    body = {"instances": instances(rows), "parameters": USUAL}
    found = post(serving, f"/v1/models/{name}:explain", body)
    assert found.status_code == 200, found.text
    for row, text, scores in zip(
        rows, found.json()["explanations"], found.json()["predictions"], strict=True
    ):
        one, other = json_format.ParseDict(text, pb.Explanation()), ours(serving, case, row)
        np.testing.assert_allclose(scores, [target.raw_score for target in other.targets], **SAME)
        for level in ("event_level", "feature_level", "cell_level"):
            assert len(getattr(one, level).attributions) > 0
            for a, b in zip(
                getattr(one, level).attributions, getattr(other, level).attributions, strict=True
            ):
                assert (a.kind, a.event, a.feature) == (b.kind, b.event, b.feature)
                np.testing.assert_allclose(a.values, b.values, **SAME)
                np.testing.assert_allclose(a.standard_errors, b.standard_errors, **SAME)


def test_predictions_are_the_models_own(serving: Serving) -> None:
    """`:predict` gives the raw score of each instance, without a background."""
    rows = sample_rows(GRU, 3)
    found = post(serving, "/v1/models/gru:predict", {"inputs": instances(rows), "signature_name": "x"}).json()
    wanted = [GRU.scorer()({name: array[None] for name, array in row.items()})[0] for row in rows]
    np.testing.assert_allclose(found["predictions"], wanted, atol=1e-6)


def test_options_stand_under_parameters(serving: Serving) -> None:
    """By the names of ExplainOptions, lists as lists; a score below the minimum is answered alone."""
    parameters = {**USUAL, "levels": ["event"], "max_coalitions": 256, "seed": 3, "caller_id": "case 9"}
    body = {"instances": instances(sample_rows(GRU, 1)), "parameters": parameters}
    (found,) = post(serving, "/v1/models/gru:explain", body).json()["explanations"]
    assert found["options"]["levels"] == ["LEVEL_EVENT"]
    assert (found["options"]["max_coalitions"], found["caller_id"]) == ("256", "case 9")
    parameters["minimum_score"] = 2
    (found,) = post(serving, "/v1/models/gru:explain", body).json()["explanations"]
    assert found["explained"] is False
    assert "event_level" not in found
    assert 0 < found["targets"][0]["score"] < 1


def test_models_say_whether_they_are_ready(serving: Serving) -> None:
    """The server, the list, one model with and without its version, and one that is not there."""
    assert get(serving, "/").json() == {"status": "alive"}
    assert set(inference_calls.MODELS) <= set(get(serving, "/v1/models").json()["models"])
    for path in ("/v1/models/gru", "/v1/models/gru/versions/1"):
        assert get(serving, path).json() == {"name": "gru", "ready": True}
    missing = get(serving, "/v1/models/nobody")
    assert (missing.status_code, missing.json()["reason"]) == (404, "MODEL_NOT_FOUND")


def test_a_failed_model_is_not_ready(tmp_path: Any) -> None:
    """A file that is no model: 503 and why, as KServe's clients expect; explaining by it is 422."""
    (tmp_path / "broken" / "1").mkdir(parents=True)
    (tmp_path / "broken" / "1" / "model.onnx").write_bytes(b"no model")
    with Serving(embedded(model_repository=tmp_path), wait=False) as server:
        eventually(lambda: "failed to load" in get(server, "/v1/models/broken").text)
        found = get(server, "/v1/models/broken")
        assert (found.status_code, found.json()["ready"]) == (503, False)
        refused = post(server, "/v1/models/broken:explain", {"instances": [[[1.0]]]})
        assert (refused.status_code, refused.json()["reason"]) == (422, "MODEL_NOT_LOADED")


ONE = instances(sample_rows(GRU, 1))
NESTED = "[" * 100_000
BAD = [
    ("no JSON", "{", 400, "BODY_MALFORMED", None),
    ("nothing", "", 400, "BODY_MALFORMED", None),
    ("not UTF-8", b"\xff\xfe\xff", 400, "BODY_MALFORMED", None),
    ("nested without end", f'{{"instances": {NESTED}', 400, "BODY_MALFORMED", None),
    ("a number of many digits", f'{{"instances": [{"9" * 10_000}]}}', 400, "BODY_MALFORMED", None),
    ("a literal NaN", '{"instances": [[[NaN, 1, 1, 1, 1]]]}', 400, "BODY_MALFORMED", None),
    ("half of a surrogate pair", r'{"instances": [{"\ud800": [[1.0]]}]}', 400, "BODY_MALFORMED", None),
    ("a list", [1], 400, "FIELD_INVALID", "body"),
    ("no instances", {}, 400, "FIELD_INVALID", "instances"),
    ("instances twice", {"instances": ONE, "inputs": ONE}, 400, "FIELD_INVALID", "instances"),
    ("an object of instances", {"instances": {}}, 400, "FIELD_INVALID", "instances"),
    ("an empty list", {"instances": []}, 400, "NO_ROWS", "instances"),
    ("too many", {"instances": ONE * 9}, 400, "TOO_MANY_ROWS", "instances"),
    ("another field", {"instances": ONE, "parameter": {}}, 400, "FIELD_UNKNOWN", "parameter"),
    ("a text", {"instances": ["abc"]}, 400, "INSTANCE_INVALID", "instances[0]"),
    (
        "a null",
        {"instances": [*ONE, [[None] * 5]], "parameters": USUAL},
        400,
        "TENSOR_NOT_FINITE",
        "instances[1]",
    ),
    ("a null beside a text", {"instances": [[[None, "a"]]]}, 400, "INSTANCE_INVALID", "instances[0]"),
    ("rows of two lengths", {"instances": [[[1, 2, 3, 4, 5], [1]]]}, 400, "INSTANCE_INVALID", "instances[0]"),
    ("an empty instance", {"instances": [[]]}, 400, "INSTANCE_INVALID", "instances[0]"),
    ("a huge integer", {"instances": [[[10**30] * 5]]}, 400, "INSTANCE_INVALID", "instances[0]"),
    ("an overflow", '{"instances": [[[1e400, 1, 1, 1, 1]]]}', 400, "TENSOR_NOT_FINITE", "instances[0]"),
    (
        "another width",
        {"instances": [*ONE, [[1.0] * 4]], "parameters": USUAL},
        400,
        "SHAPE_MISMATCH",
        "instances[1]",
    ),
    (
        "three axes",
        {"instances": [[[[1.0] * 5]]], "parameters": USUAL},
        400,
        "SHAPE_MISMATCH",
        "instances[0]",
    ),
    ("an unknown input", {"instances": [{"x": [[1.0]]}]}, 400, "INPUT_UNKNOWN", "instances[0].x"),
    ("an instance of nothing", {"instances": [{}]}, 400, "SEQUENCE_EMPTY", "instances[0]"),
    (
        "no such option",
        {"instances": ONE, "parameters": {"eta": 1}},
        400,
        "PARAMETER_UNKNOWN",
        "parameters['eta']",
    ),
    ("a list of options", {"instances": ONE, "parameters": [1]}, 400, "FIELD_INVALID", "parameters"),
    (
        "an option out of range",
        {"instances": ONE, "parameters": {"max_coalitions": 0}},
        400,
        "OPTION_OUT_OF_RANGE",
        "parameters.max_coalitions",
    ),
    (
        "a background nobody has",
        {"instances": ONE, "parameters": {"background": "b"}},
        404,
        "BACKGROUND_NOT_FOUND",
        None,
    ),
    ("no background", {"instances": ONE}, 422, "BACKGROUND_MISSING", "parameters.background"),
]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad[0])
def test_bad_input_is_named(serving: Serving, bad: Any) -> None:
    """Code, reason, the path in the caller's own body, and a text under `error`; the server answers afterwards."""
    _, body, code, reason, field = bad
    found = post(serving, "/v1/models/gru:explain", body)
    said = found.json()
    assert (found.status_code, said["reason"]) == (code, reason), said
    assert said["error"]
    assert said["request_id"] == found.headers["x-request-id"]
    if field:
        assert field in {each["field"] for each in said["violations"]}, said
        assert field in said["error"] or code == 422
    assert "send its values" not in said["error"], "JSON bodies cannot hold a background"
    assert get(serving, "/v1/models/gru").status_code == 200


def test_a_path_that_is_not_there(serving: Serving) -> None:
    """404 and 405 come as JSON too; nobody is sent to another path."""
    for path, code in (("/v1/nothing", 404), ("/v1/models/", 404), ("/v2/models/gru/infer", 405)):
        found = get(serving, path)
        assert (found.status_code, found.json()["reason"]) == (code, "NO_ROUTE")


def test_without_inference_there_are_pages_only() -> None:
    """Switched off, the paths are not there; metrics and health are."""
    with Serving(embedded(http_inference=False)) as server:
        assert get(server, "/healthz").status_code == 200
        assert get(server, "/v1/models").status_code == 404
        assert post(server, "/v2/models/gru/infer", {}).status_code == 404
