"""Whatever JSON comes, the caller hears what is wrong with it: never an error of ours."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from api.inference_calls import BACKGROUND
from api.test_kserve import get, post
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from serving import Serving
from sweeps import examples

TEXT = st.text(st.characters(), max_size=5)  # halves of surrogate pairs too, which JSON can write
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=12,
)
NAMES = st.sampled_from(
    [
        "levels",
        "targets",
        "seed",
        "max_coalitions",
        "refine_history",
        "link",
        "estimator",
        "output_event",
        "caller_id",
    ]
)
PARAMETERS = st.dictionaries(NAMES, JSON, max_size=3).map(lambda said: {"background": BACKGROUND, **said})
TENSORS = st.fixed_dictionaries(
    {"name": st.sampled_from(["events", "x"]) | SCALARS},
    optional={
        "datatype": st.sampled_from(["FP32", "INT64", "BOOL", "BYTES"]) | SCALARS,
        "shape": st.lists(st.integers(-2, 6), max_size=4) | JSON,
        "data": st.lists(st.floats(-1, 1), max_size=6) | JSON,
        "parameters": JSON,
    },
)
TOLD = (200, 400, 404, 422)
QUICK = settings(max_examples=examples(40), suppress_health_check=[HealthCheck.function_scoped_fixture])


@QUICK
@given(body=JSON | st.fixed_dictionaries({"instances": JSON, "parameters": PARAMETERS | JSON}))
def test_any_instances(serving: Serving, body: Any) -> None:
    """Of KServe's first protocol, for both verbs."""
    for verb in ("explain", "predict"):
        answer = post(serving, f"/v1/models/gru:{verb}", json.dumps(body))
        assert answer.status_code in TOLD, answer.text


@QUICK
@given(
    body=JSON
    | st.fixed_dictionaries(
        {"inputs": st.lists(TENSORS | JSON, max_size=2)},
        optional={"parameters": PARAMETERS, "outputs": JSON, "id": JSON},
    )
)
def test_any_tensors(serving: Serving, body: Any) -> None:
    """Of the Open Inference Protocol's REST form."""
    answer = post(serving, "/v2/models/gru/infer", json.dumps(body))
    assert answer.status_code in TOLD, answer.text


@QUICK
@given(body=st.binary(max_size=64))
def test_any_bytes(serving: Serving, body: bytes) -> None:
    """That are seldom JSON at all."""
    for path in ("/v1/models/gru:explain", "/v2/models/gru/infer"):
        assert post(serving, path, body).status_code == 400


@QUICK
@given(
    name=st.text(min_size=1, max_size=40).filter(
        lambda name: name.strip(".")
    ),  # clients resolve dots themselves
    version=st.text(max_size=5).filter(lambda version: not version or version.strip(".")),
)
def test_any_name(serving: Serving, name: str, version: str) -> None:
    """In the path, percent-encoded: not found, or no name."""
    quoted, number = quote(name, safe=""), quote(version, safe="")
    for path in (f"/v1/models/{quoted}", f"/v2/models/{quoted}/versions/{number}/ready"):
        assert get(serving, path).status_code in (400, 404, 405)
