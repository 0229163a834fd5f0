"""Valid messages for each method of gRPC, which cases change. A method without any starts from empty messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from api.inference_calls import BACKGROUND, infer_request
from api.rpc_calls import COLUMNS, GRU, background, explain_request, inline, sequence, upload
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from matrix import BY_NAME
from sequela_proto.inference import open_inference_pb2 as oip
from sequela_proto.v1 import sequela_pb2 as pb
from serving import inputs

MODEL = "gru"
NAMED = pb.ModelReference(name=MODEL)
STORED = pb.BackgroundReference(name=BACKGROUND)
NAME = f"models/{MODEL}/backgrounds/{BACKGROUND}"
EXPLANATION = "explanations/" + "0" * 32


def question(**changed: Any) -> pb.ExplainRequest:
    """Returns a valid request for an explanation by the model of the repository."""
    fields: dict[str, Any] = {"model": NAMED, "background": STORED, **changed}
    return explain_request(**fields)


def honest_question() -> pb.ExplainRequest:
    """Returns a request that needs nothing that another call may have deleted, and whose answer is never reused."""
    return question(background=background(), options=pb.ExplainOptions(levels=[1, 2], seed=7))


def _explain() -> list[Sequence[Message]]:
    options = pb.ExplainOptions(
        levels=[1, 2, 3],
        targets=["0"],
        pruning_tolerance=0.02,
        top_k_events=2,
        top_k_features=2,
        max_coalitions=64,
        target_standard_error=0.01,
        seed=3,
        minimum_score=-1.0,
        output_event=0,
    )
    events = [
        pb.EventInfo(id=str(at), time=Timestamp(seconds=at), display={"merchant": "m"}) for at in range(6)
    ]
    shown = pb.Sequence(inputs=sequence().inputs, events=events)
    shown.inputs[0].columns.extend("abcde")
    return [
        [question()],
        [question(options=options, caller_id="alert-1", labels={"team": "fraud"})],
        [question(sequence=shown, background=background(), priority=pb.PRIORITY_BULK)],
        [question(dry_run=True, options=options)],
        [question(model=pb.ModelReference(endpoint=pb.EndpointModel(uri="grpc://127.0.0.1:1/m")))],
        [explain_request()],
    ]


def _stream() -> list[Sequence[Message]]:
    items = [pb.ExplainStreamRequest(request=question(sequence=sequence(seed))) for seed in range(3)]
    late = pb.ExplainStreamRequest(request=question(), timeout=Duration(seconds=2, nanos=5))
    return [items, [late, *items[:1]]]


def _score() -> list[Sequence[Message]]:
    rows = [sequence(0), sequence(1)]
    return [
        [pb.ScoreRequest(model=NAMED, sequences=rows, targets=["0"])],
        [pb.ScoreRequest(model=inline(), sequences=rows[:1], output_event=0)],
    ]


def _list() -> list[Sequence[Message]]:
    span = {"start_time": Timestamp(seconds=1), "end_time": Timestamp(seconds=2_000_000_000)}
    return [
        [pb.ListExplanationsRequest(page_size=2, caller_id="alert-1")],
        [
            pb.ListExplanationsRequest(
                model=f"models/{MODEL}", labels={"team": "fraud"}, min_score=0.0, **span
            )
        ],
        [pb.ListExplanationsRequest(page_token="eyJhIjoxfQ", max_score=1.0)],
    ]


def _backgrounds() -> list[Sequence[Message]]:
    header = pb.CreateBackgroundRequest(header=pb.CreateBackgroundHeader(name=NAME, model=NAMED, average=2))
    values = pb.BackgroundValues(inputs=inputs(np.zeros(COLUMNS)))
    rows = [pb.CreateBackgroundRequest(sequence=sequence(seed)) for seed in range(3)]
    return [[header, *rows], [header, pb.CreateBackgroundRequest(values=values)]]


def _infer() -> list[Sequence[Message]]:
    rows = [BY_NAME[MODEL].sample(6, seed) for seed in range(2)]
    asked = {"background": BACKGROUND, "levels": "event,feature", "max_coalitions": 64}
    return [
        [infer_request(MODEL, rows, **asked)],
        [infer_request(MODEL, rows[:1], outputs=["score"], raw=False, **asked, labels='{"team": "fraud"}')],
    ]


_SEEDS: Mapping[str, Callable[[], list[Sequence[Message]]]] = {
    "sequela.v1.ExplanationService/Explain": _explain,
    "sequela.v1.ExplanationService/ExplainStream": _stream,
    "sequela.v1.ExplanationService/Score": _score,
    "sequela.v1.ExplanationService/GetExplanation": lambda: [[pb.GetExplanationRequest(name=EXPLANATION)]],
    "sequela.v1.ExplanationService/ListExplanations": _list,
    "sequela.v1.ExplanationService/DeleteExplanation": lambda: [
        [pb.DeleteExplanationRequest(name=EXPLANATION)],
        [pb.DeleteExplanationRequest(caller_id="alert-1")],
        [pb.DeleteExplanationRequest(label=pb.Label(key="team", value="fraud"))],
    ],
    "sequela.v1.ModelService/RegisterModel": lambda: [upload("up", GRU, chunk=len(GRU) // 2 + 1)],
    "sequela.v1.ModelService/GetModel": lambda: [[pb.GetModelRequest(name=MODEL)]],
    "sequela.v1.ModelService/ListModels": lambda: [[pb.ListModelsRequest(page_size=2, page_token="x")]],
    "sequela.v1.ModelService/DeleteModel": lambda: [[pb.DeleteModelRequest(name="up")]],
    "sequela.v1.BackgroundService/CreateBackground": _backgrounds,
    "sequela.v1.BackgroundService/GetBackground": lambda: [[pb.GetBackgroundRequest(name=NAME)]],
    "sequela.v1.BackgroundService/ListBackgrounds": lambda: [
        [pb.ListBackgroundsRequest(page_size=2, model=f"models/{MODEL}")]
    ],
    "sequela.v1.BackgroundService/DeleteBackground": lambda: [[pb.DeleteBackgroundRequest(name=NAME)]],
    "inference.GRPCInferenceService/ModelReady": lambda: [[oip.ModelReadyRequest(name=MODEL, version="1")]],
    "inference.GRPCInferenceService/ModelMetadata": lambda: [[oip.ModelMetadataRequest(name=MODEL)]],
    "inference.GRPCInferenceService/ModelConfig": lambda: [[oip.ModelConfigRequest(name=MODEL)]],
    "inference.GRPCInferenceService/ModelInfer": _infer,
    "grpc.health.v1.Health/Check": lambda: [
        [health_pb2.HealthCheckRequest(service="sequela.v1.ModelService")]
    ],
    "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": lambda: [
        [
            reflection_pb2.ServerReflectionRequest(list_services=""),
            reflection_pb2.ServerReflectionRequest(file_containing_symbol="sequela.v1.Tensor"),
            reflection_pb2.ServerReflectionRequest(all_extension_numbers_of_type="sequela.v1.Tensor"),
        ]
    ],
}


def seeds(method: str, kind: type[Message]) -> list[Sequence[Message]]:
    """Returns the valid calls of a method, each a row of messages."""
    return _SEEDS[method]() if method in _SEEDS else [[kind()]]
