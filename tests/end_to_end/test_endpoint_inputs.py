"""The same models behind endpoints: other orders of axes, states, missing values, a known future, frames.

The server's answers equal every coalition run alone by onnxruntime, whichever protocol carries the rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from alone import Alone, Feed
from brute_force import Arrays
from endpoint_folders import HASTY, write_endpoint
from inference_rest import RestServer
from inference_server import InferenceServer, ServedModel
from sequela_client import Sequela
from sequela_client.errors import SequelaError
from serving import Serving, embedded
from waiting import eventually

MODELS = Path(__file__).resolve().parents[1] / "fixtures" / "cases" / "models"
RNG = np.random.default_rng(3)
X = RNG.normal(size=(5, 3)).astype(np.float32)
HOLED = X.copy()
HOLED[1, 2] = HOLED[3, 0] = np.nan
PAST, FUTURE = RNG.normal(size=(8, 3)).astype(np.float32), RNG.normal(size=8).astype(np.float32)
FRAMES = RNG.normal(size=(5, 12)).astype(np.float32)
STATE = np.zeros((1, 1, 6), np.float32)
OUTPUT = {"output": "score", "targets": [{"name": "score"}]}


def events(name: str = "x", width: int = 3, **more: Any) -> dict[str, Any]:
    return {"name": name, "role": "events", "dtype": "float32", "width": width, **more}


@dataclass(frozen=True)
class Case:
    """A model, a sequence, how it is fed alone, and the schema: beside OIP, which describes inputs, and beside V1."""

    name: str
    x: Arrays
    feed: Feed
    oip: dict[str, Any] = field(default_factory=dict)
    v1: dict[str, Any] | None = None


CASES = [
    Case(
        "channel_first_dyn",
        {"x": X},
        lambda row: {"x": row["x"].T[None]},
        v1={"inputs": [events(axes=["batch", "features", "time"])], **OUTPUT},
    ),
    Case(
        "stateful", {"x": X}, lambda row: {"x": row["x"][None], "h0": STATE, "c0": STATE}, {"output": "score"}
    ),
    Case(
        "nan_aware",
        {"x": HOLED},
        lambda row: {"x": row["x"][None]},
        {"inputs": [events(allow_nan=True)]},
        {"inputs": [events(allow_nan=True)], **OUTPUT},
    ),
    Case(
        "seq2seq",
        {"past": PAST, "future": FUTURE},
        lambda row: {"past": row["past"][None], "future": row["future"].reshape(1, 4, 2)},
        v1={
            "inputs": [
                events("past"),
                {"name": "future", "role": "static", "dtype": "float32", "width": 8, "shape": [4, 2]},
            ],
            "output": "y",
            "targets": [{"name": "y"}],
        },
    ),
    Case(
        "frames",
        {"x": FRAMES},
        lambda row: {"x": row["x"].reshape(1, 5, 3, 4)},
        v1={"inputs": [events(width=12, shape=[3, 4])], **OUTPUT},
    ),
]
DAILY = {"channel_first_dyn": "grpc", "stateful": "grpc", "nan_aware": "v2", "seq2seq": "v1"}
"""The protocol by which the fast tests ask for a model."""
SERVED = [
    (case, protocol) for case in CASES for protocol in ("grpc", "v2", "v1") if protocol != "v1" or case.v1
]


@pytest.fixture(scope="module")
def sequela(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sequela]:
    root = tmp_path_factory.mktemp("endpoints")
    models = {
        path.stem: ServedModel(path.read_bytes()) for path in MODELS.glob("*.onnx") if path.stem != "zipmap"
    }
    with InferenceServer(models) as grpc_server, RestServer(models) as rest_server:
        for case, protocol in SERVED:
            schema = case.v1 if protocol == "v1" else case.oip
            uri = grpc_server.uri(case.name) if protocol == "grpc" else rest_server.uri(case.name, protocol)
            write_endpoint(
                root, f"{case.name}-{protocol}", uri, json.dumps(schema).encode() if schema else None
            )
        turned = json.dumps({"inputs": [events(axes=["time", "batch", "features"])]}).encode()
        write_endpoint(root, "time_major", grpc_server.uri("time_major"), turned)
        with (
            Serving(embedded(model_repository=root, **HASTY), wait=False) as server,
            Sequela(server.bound.grpc) as client,
        ):
            eventually(lambda: all(model.state != "loading" for model in client.models()))
            yield client


@pytest.mark.parametrize(
    ("case", "protocol"),
    [
        pytest.param(
            case,
            protocol,
            id=f"{case.name}-{protocol}",
            marks=() if protocol == DAILY.get(case.name) else pytest.mark.slow,
        )
        for case, protocol in SERVED
    ],
)
def test_served_models_are_explained(sequela: Sequela, case: Case, protocol: str) -> None:
    """Score, base value, events and the static player, as when each row is run alone."""
    zeros = {name: np.zeros(values.shape[-1], np.float32) for name, values in case.x.items()}
    answer = sequela.explain(
        case.x,
        model=f"{case.name}-{protocol}",
        background=zeros,
        pruning_tolerance=0,
        target_standard_error=0,
    )
    absent = {name: np.zeros_like(values) for name, values in case.x.items()}
    truth = Alone((MODELS / f"{case.name}.onnx").read_bytes(), case.feed).events(case.x, absent)
    found = {("event", each.t): each.values for each in answer.events}
    if answer.static:
        found["static",] = answer.static.values
    for player, row in zip(truth.players, truth.values, strict=True):
        np.testing.assert_allclose(found[player.key], row, atol=2e-6, rtol=0, err_msg=str(player.key))
    assert answer.score == pytest.approx(truth.score[0], abs=2e-6)


def test_the_batch_comes_first_behind_an_endpoint(sequela: Sequela) -> None:
    """Servers put calls together along the first axis, so a time-first model is refused in words."""
    with pytest.raises(SequelaError, match="behind an endpoint the batch comes first"):
        sequela.score([X], model="time_major")
