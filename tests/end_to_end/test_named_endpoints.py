"""Endpoints that requests name: what may be asked of one holds for all who name it, however they do."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from counting_model import CountingModel
from endpoint_folders import explained, failure, reachable, request, serving, state, write_endpoint
from grpc import StatusCode as Code
from inference_server import InferenceServer
from matrix import BY_NAME
from sequela_proto.v1 import sequela_pb2 as pb
from waiting import eventually

ONNX = BY_NAME["gru"].path.read_bytes()
OPTIONS: dict[str, Any] = {
    "levels": [pb.LEVEL_EVENT],
    "max_coalitions": 400,
    "target_standard_error": 0.0,
    "pruning_tolerance": 0.0,
    "estimator": pb.ESTIMATOR_REGRESSION,
}
SCHEMA = {"inputs": [{"name": "events", "role": "events", "dtype": "float32", "width": 5}]}
CALLERS = [
    {"schema_json": b""},
    {"schema_json": b"", "version": "1"},
    {"schema_json": json.dumps(SCHEMA).encode()},
    {"schema_json": json.dumps(SCHEMA | {"bounded": True}).encode(), "version": "1"},
]
"""The same model by other words."""


def naming(uri: str, caller: int) -> pb.ExplainRequest:
    """Each caller's own question."""
    asked = request("", length=20, seed=caller, **OPTIONS)
    asked.model.CopyFrom(pb.ModelReference(endpoint=pb.EndpointModel(uri=uri, **CALLERS[caller])))
    return asked


def test_all_callers_share_an_endpoint(tmp_path: Path) -> None:
    """Whatever version or schema they give: rows under way and rows a second are those of all of them together."""
    model, rate, most = CountingModel(ONNX, delay=0.005), 800.0, 40
    settings = {
        "endpoint_allow": "grpc://127.0.0.1:*/*",
        "endpoint_networks": "127.0.0.0/8",
        "endpoint_max_batch_rows": 16,
        "endpoint_max_rows_in_flight": most,
        "endpoint_max_rows_per_second": rate,
    }
    with InferenceServer({"gru": model}) as endpoint, serving(tmp_path, **settings) as server:
        start = time.monotonic()
        with ThreadPoolExecutor(len(CALLERS)) as threads:
            asked = [naming(endpoint.uri("gru"), caller) for caller in range(len(CALLERS))]
            answers = list(threads.map(lambda each: explained(server, each), asked))
        took = time.monotonic() - start
    assert len({answer.model_digest for answer in answers}) == len(CALLERS)
    total = sum(answer.cost.endpoint_rows for answer in answers)
    assert total == sum(model.batches) > 1.9 * rate
    assert 16 < model.most_rows <= most
    # The rows of the first second may leave at once; no caller alone has more than those.
    assert max(answer.cost.endpoint_rows for answer in answers) < rate
    assert took >= total / rate - 1


def by_uri(endpoint: InferenceServer, **more: Any) -> pb.ExplainRequest:
    """A question that names the model by its URI alone, whatever else is given."""
    asked = request("", **OPTIONS)
    asked.model.CopyFrom(pb.ModelReference(endpoint=pb.EndpointModel(uri=endpoint.uri("gru"), **more)))
    return asked


def test_the_operators_endpoint_needs_the_list_too(tmp_path: Path) -> None:
    """Without a list requests may not name it, with their own schema or not; no row leaves, and its name works."""
    with InferenceServer({"gru": CountingModel(ONNX)}) as endpoint:
        write_endpoint(tmp_path, "gru", endpoint.uri("gru"))
        with serving(tmp_path) as server:
            reachable(server, "gru")
            for more in ({}, {"version": "1"}, {"schema_json": json.dumps(SCHEMA).encode()}):
                failed = failure(server, by_uri(endpoint, **more))
                assert (failed.code, failed.reason) == (Code.FAILED_PRECONDITION, "ENDPOINT_NOT_ALLOWED")
                assert list(failed.violations) == ["model.endpoint.uri"]
            assert endpoint.models["gru"].batches == []
            assert explained(server, request("gru", **OPTIONS)).explained


def test_the_operators_endpoint_by_its_uri_where_the_list_has_it(tmp_path: Path) -> None:
    """Its version is asked for and pins the answer, its limits hold, and so does its switch."""
    allowed = {"endpoint_allow": "grpc://127.0.0.1:*/*", "endpoint_networks": "127.0.0.0/8"}
    with InferenceServer({"gru": CountingModel(ONNX)}) as endpoint:
        write_endpoint(tmp_path, "gru", endpoint.uri("gru"), max_batch_rows=8)
        with serving(tmp_path, **allowed) as server:
            reachable(server, "gru")
            first = explained(server, by_uri(endpoint))
            calls = [call.request for call in endpoint.calls if call.method == "ModelInfer"]
            assert {call.model_version for call in calls} == {"1"}
            assert max(endpoint.models["gru"].batches) <= 8
            again = explained(server, by_uri(endpoint))
            assert again.cost.cached
            assert again.model_digest == first.model_digest
            write_endpoint(tmp_path, "gru", endpoint.uri("gru"), max_batch_rows=8, enabled=False)
            eventually(lambda: state(server, "gru").state_detail == "switched off")
            assert failure(server, by_uri(endpoint)).reason == "ENDPOINT_OFF"
