"""Questions about models behind endpoints, named in the request or by the operator."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from matrix import BY_NAME
from regression.deployment import Deployment
from regression.messages import Question, explained, request, seed_of
from sequela_client import Endpoint
from sequela_proto.v1 import sequela_pb2 as pb

ADDRESS = frozenset({"model_digest", "model", "model_calls", "endpoint_calls"})
"""The model's digest depends on the port of the endpoint, and the number of calls on timing."""
REGRESSION, CONTROL = pb.ESTIMATOR_REGRESSION, pb.ESTIMATOR_CONTROL_VARIATE
ASKED: tuple[tuple[str, str, Mapping[str, Any]], ...] = (
    ("grpc", "gru", {"max_coalitions": 512}),
    ("grpc", "transformer", {"max_coalitions": 256, "pruning_tolerance": 0.0}),
    ("grpc", "multi_input", {"max_coalitions": 512}),
    ("grpc", "classes", {"max_coalitions": 256, "targets": ["output1"]}),
    ("grpc", "gru", {"max_coalitions": 256, "estimator": CONTROL, "target_standard_error": 0.0}),
    ("grpc", "lengths", {"max_coalitions": 256}),
    ("grpc", "gru", {"max_coalitions": 512, "refine_history": True, "pruning_tolerance": 0.05}),
    ("v2", "gru", {"max_coalitions": 512}),
    ("v2", "multi_input", {"max_coalitions": 256}),
    ("v2", "fixed_left", {"max_coalitions": 256}),
    ("v2", "regression", {"max_coalitions": 256, "levels": [pb.LEVEL_EVENT]}),
    ("v2", "gru", {"max_coalitions": 256, "estimator": CONTROL, "target_standard_error": 0.0}),
    ("v1", "gru", {"max_coalitions": 256}),
    ("v1", "multi_input", {"max_coalitions": 256}),
    ("v1", "classes", {"max_coalitions": 256, "levels": [pb.LEVEL_FEATURE]}),
    ("sequela", "gru", {"max_coalitions": 256}),
    ("sequela", "multi_input", {"max_coalitions": 256, "levels": [pb.LEVEL_EVENT]}),
    ("sequela", "transformer", {"max_coalitions": 256, "minimum_score": 0.0}),
)
INTERFACES = {
    "grpc": "endpoint, grpc",
    "v2": "endpoint, rest v2",
    "v1": "endpoint, rest v1",
    "sequela": "endpoint, another Sequela",
}


def questions() -> Iterator[Question]:
    """Yields all of them."""
    for place, (protocol, model, options) in enumerate(ASKED):
        yield _of_request(place, protocol, model, options)
    for model, protocol in (("far_grpc", "grpc"), ("far_v2", "v2")):
        yield _of_operator(model, protocol)
    yield Question("endpoint: by the client", "gru", INTERFACES["grpc"], _of_client, ADDRESS)
    yield Question("endpoint: scores", "gru", INTERFACES["grpc"], _score, ADDRESS)


def _schema(protocol: str, model: str) -> bytes:
    """Returns the model's schema.json, with what the protocol does not tell about the model."""
    case = BY_NAME[model]
    path = case.path.with_name("schema.json")
    said: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    if protocol == "v1":
        said.setdefault(
            "inputs",
            [{"name": i.name, "role": i.role, "width": i.width, "dtype": i.dtype} for i in case.inputs],
        )
        said.setdefault("targets", [{"name": name} for name in case.targets])
        for item in said["inputs"]:
            if item["name"] == "region":
                item["rank"] = 1
    if protocol == "sequela":
        said["output"] = "raw_score"
        said.setdefault("targets", [{"name": name} for name in case.targets])
    return json.dumps(said).encode() if said else b""


def _of_request(place: int, protocol: str, model: str, options: Mapping[str, Any]) -> Question:
    name = f"endpoint {place}: {model} by {protocol}"

    def ask(deployment: Deployment) -> Any:
        asked = request(BY_NAME[model], 8, seed_of(name), **{"estimator": REGRESSION, **options})
        endpoint = pb.EndpointModel(
            uri=deployment.uris[protocol].format(model), schema_json=_schema(protocol, model)
        )
        asked.model.CopyFrom(pb.ModelReference(endpoint=endpoint))
        return explained(deployment, asked)

    return Question(name, model, INTERFACES[protocol], ask, ADDRESS)


def _of_operator(model: str, protocol: str) -> Question:
    name = f"endpoint of the operator, {model}"

    def ask(deployment: Deployment) -> Any:
        asked = request(BY_NAME["gru"], 8, seed_of(name), None)
        asked.model.CopyFrom(pb.ModelReference(name=model))
        return explained(deployment, asked)

    return Question(name, "gru", INTERFACES[protocol], ask, ADDRESS)


def _of_client(deployment: Deployment) -> Any:
    case = BY_NAME["gru"]
    found = deployment.client.explain(
        case.sample(8, 88),
        model=Endpoint(deployment.uris["grpc"].format("gru")),
        background=case.average(88),
        max_coalitions=256,
        estimator="regression",
    )
    return found.to_dict()


def _score(deployment: Deployment) -> Any:
    case = BY_NAME["gru"]
    model = Endpoint(deployment.uris["grpc"].format("gru"))
    return deployment.client.score([case.sample(8, seed) for seed in range(5)], model=model).values
