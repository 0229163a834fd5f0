"""Endpoints that requests name: what may be asked of one holds for all who name it, however they do."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from counting_model import CountingModel
from endpoint_folders import explained, request, serving
from inference_server import InferenceServer
from matrix import BY_NAME
from sequela_proto.v1 import sequela_pb2 as pb

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
