"""Model repositories with models that other servers run, and a server of ours that explains them."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
from matrix import Case
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Failure, Serving, embedded, inputs
from waiting import PATIENCE, eventually

TOLERATED = 10.0
"""In seconds: how long after a deadline a busy machine may take to report it."""
HASTY = {"endpoint_retry_after": 0.1, "endpoint_description_ttl": 1.0}
"""Settings with short intervals, so that tests need not wait long."""


def write_endpoint(root: Path, name: str, uri: str, schema: bytes | None = None, **terms: Any) -> Path:
    """Writes `<root>/<name>/1`, or another version if the terms name one. The endpoint.toml appears complete."""
    folder = root / name / "1"
    folder.mkdir(parents=True, exist_ok=True)
    if schema is not None:
        (folder / "schema.json").write_bytes(schema)
    said = {"uri": uri, "version": "1", **terms}
    fresh = folder / "endpoint.toml.new"
    fresh.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in said.items()))
    fresh.rename(folder / "endpoint.toml")
    return folder


def write_local(root: Path, name: str, onnx: bytes, schema: bytes | None = None) -> None:
    """Writes `<root>/<name>/1` with an ONNX file."""
    folder = root / name / "1"
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(onnx)
    if schema is not None:
        (folder / "schema.json").write_bytes(schema)


def schema_of(case: Case, **more: Any) -> bytes | None:
    """Returns the schema of a case with further keys; None if there are neither."""
    path = case.path.with_name("schema.json")
    said = json.loads(path.read_text()) if path.exists() else {}
    return json.dumps(said | more).encode() if said or more else None


def serving(root: Path, **changed: Any) -> Serving:
    """Returns a server of a repository that checks its endpoints often."""
    # A repository without models is not ready unless that is allowed. Some tests begin with one.
    usual = {"require_all_models": any(root.iterdir())}
    return Serving(embedded(model_repository=root, **(usual | HASTY | changed)))


def request(
    name: str, length: int = 12, columns: int = 5, seed: int = 0, **options: Any
) -> pb.ExplainRequest:
    """Returns a request about a model with one event input. Requests with different seeds have different values."""
    values = np.random.default_rng(seed).normal(size=(length, columns))
    return pb.ExplainRequest(
        model=pb.ModelReference(name=f"models/{name}"),
        background=pb.BackgroundReference(values=pb.BackgroundValues(inputs=inputs(np.zeros(columns)))),
        sequence=pb.Sequence(inputs=inputs(values)),
        options=pb.ExplainOptions(seed=seed, **options),
    )


def outcome(server: Serving, asked: pb.ExplainRequest, seconds: float = PATIENCE) -> pb.Explanation | Failure:
    """Returns the explanation, or the error, at the deadline at the latest."""
    start = time.monotonic()
    try:
        return server.explanations.Explain(asked, timeout=seconds).explanation
    except grpc.RpcError as error:
        return Failure(error)
    finally:
        assert time.monotonic() - start < seconds + TOLERATED


def explained(server: Serving, asked: pb.ExplainRequest, seconds: float = PATIENCE) -> pb.Explanation:
    """Returns the explanation. Fails if there is an error."""
    found = outcome(server, asked, seconds)
    assert isinstance(found, pb.Explanation), (found.code, found.message)
    return found


def failure(server: Serving, asked: pb.ExplainRequest, seconds: float = PATIENCE) -> Failure:
    """Returns the error. Fails if there is an explanation."""
    found = outcome(server, asked, seconds)
    assert isinstance(found, Failure)
    return found


def numbers(answer: pb.Explanation) -> list[Any]:
    """Returns all attributions and standard errors."""
    levels = (answer.event_level, answer.feature_level, answer.cell_level)
    return [
        (list(each.values), list(each.standard_errors)) for level in levels for each in level.attributions
    ]


def metric(server: Serving, name: str, **labels: str) -> float:
    """Returns the value of a metric, or 0 if there is no such metric."""
    # There is no TLS here. Without verify=False, httpx would read trusted certificates for each call.
    text = httpx.get(f"http://{server.bound.http}/metrics", verify=False, timeout=PATIENCE).text
    wanted = [f'{key}="{value}"' for key, value in labels.items()]
    for line in text.splitlines():
        head, _, value = line.rpartition(" ")
        if head.partition("{")[0] == name and all(each in head for each in wanted):
            return float(value)
    return 0.0


def state(server: Serving, name: str) -> pb.Model:
    """Returns the server's description of a model."""
    return server.models.GetModel(pb.GetModelRequest(name=f"models/{name}")).model


def reachable(server: Serving, *names: str) -> None:
    """Waits until the models are ready."""
    eventually(lambda: all(state(server, name).state == pb.MODEL_STATE_READY for name in names))


def recovered(server: Serving, name: str) -> None:
    """Waits until the endpoint of a model is up again.

    Its description is read again at its own times. On a slow machine, one of these may have been while it was down.
    """
    eventually(lambda: metric(server, "sequela_circuit_state", target=f"{name}/1") == 0)
    reachable(server, name)
