"""Model repositories whose models other servers run, and a server of ours that explains them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
from matrix import Case
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Failure, Serving, embedded, inputs

PATIENCE = 60.0
TOLERATED = 1.0
"""Seconds after a deadline that a busy machine may need to say that it has passed."""
HASTY = {"endpoint_retry_after": 0.1, "endpoint_description_ttl": 1.0}
"""Settings with which tests need not wait long."""


def write_endpoint(root: Path, name: str, uri: str, schema: bytes | None = None, **terms: Any) -> Path:
    """`<root>/<name>/1`; version "1" unless the terms say otherwise. An endpoint.toml is put in place at once."""
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
    """`<root>/<name>/1` with an ONNX file."""
    folder = root / name / "1"
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(onnx)
    if schema is not None:
        (folder / "schema.json").write_bytes(schema)


def schema_of(case: Case, **more: Any) -> bytes | None:
    """The case's own, with keys added; None where there is neither."""
    path = case.path.with_name("schema.json")
    said = json.loads(path.read_text()) if path.exists() else {}
    return json.dumps(said | more).encode() if said or more else None


def serving(root: Path, **changed: Any) -> Serving:
    """A server of a repository, that looks at its endpoints often."""
    return Serving(embedded(model_repository=root, **(HASTY | changed)))


def request(
    name: str, length: int = 12, columns: int = 5, seed: int = 0, **options: Any
) -> pb.ExplainRequest:
    """A question about a model with one input of events, each seed another."""
    values = np.random.default_rng(seed).normal(size=(length, columns))
    return pb.ExplainRequest(
        model=pb.ModelReference(name=f"models/{name}"),
        background=pb.BackgroundReference(values=pb.BackgroundValues(inputs=inputs(np.zeros(columns)))),
        sequence=pb.Sequence(inputs=inputs(values)),
        options=pb.ExplainOptions(seed=seed, **options),
    )


def outcome(server: Serving, asked: pb.ExplainRequest, seconds: float = PATIENCE) -> pb.Explanation | Failure:
    """The answer, or what went wrong, by the deadline."""
    start = time.monotonic()
    try:
        return server.explanations.Explain(asked, timeout=seconds).explanation
    except grpc.RpcError as error:
        return Failure(error)
    finally:
        assert time.monotonic() - start < seconds + TOLERATED


def explained(server: Serving, asked: pb.ExplainRequest, seconds: float = PATIENCE) -> pb.Explanation:
    """The answer."""
    found = outcome(server, asked, seconds)
    assert isinstance(found, pb.Explanation), (found.code, found.message)
    return found


def failure(server: Serving, asked: pb.ExplainRequest, seconds: float = PATIENCE) -> Failure:
    """What went wrong."""
    found = outcome(server, asked, seconds)
    assert isinstance(found, Failure)
    return found


def numbers(answer: pb.Explanation) -> list[Any]:
    """All attributions and standard errors."""
    levels = (answer.event_level, answer.feature_level, answer.cell_level)
    return [
        (list(each.values), list(each.standard_errors)) for level in levels for each in level.attributions
    ]


def metric(server: Serving, name: str, **labels: str) -> float:
    """The value of a metric, 0 where it is not there."""
    # No TLS is spoken; unless told so, each call reads all the certificates that httpx trusts, for 23 ms.
    text = httpx.get(f"http://{server.bound.http}/metrics", verify=False).text
    wanted = [f'{key}="{value}"' for key, value in labels.items()]
    for line in text.splitlines():
        head, _, value = line.rpartition(" ")
        if head.partition("{")[0] == name and all(each in head for each in wanted):
            return float(value)
    return 0.0


def state(server: Serving, name: str) -> pb.Model:
    """How a model stands."""
    return server.models.GetModel(pb.GetModelRequest(name=f"models/{name}")).model


def eventually(condition: Callable[[], bool]) -> None:
    """Waits until the condition holds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def reachable(server: Serving, *names: str) -> None:
    """Waits until the models are ready."""
    eventually(lambda: all(state(server, name).state == pb.MODEL_STATE_READY for name in names))
