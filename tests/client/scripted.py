# ruff: noqa: N802 the methods have gRPC's names
"""A server that answers by a script and records what it was sent, for tests of faults and of the number of calls."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn

import grpc
from digests import digest_of
from google.protobuf import any_pb2
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from sequela_proto.v1 import sequela_pb2 as pb
from sequela_proto.v1 import sequela_pb2_grpc as rpc

FEATURES = ("amount", "device")


def refuse(
    context: Any,
    code: grpc.StatusCode,
    reason: str,
    message: str = "no",
    field_path: str = "",
    retry_after: float | None = None,
) -> NoReturn:
    """Fails a call with google.rpc details, as the contract says."""
    details: list[Any] = [error_details_pb2.ErrorInfo(reason=reason, domain="sequela.v1")]
    if field_path:
        violation = error_details_pb2.BadRequest.FieldViolation(field=field_path, description=message)
        details.append(error_details_pb2.BadRequest(field_violations=[violation]))
    if retry_after is not None:
        delay = Duration()
        delay.FromNanoseconds(round(retry_after * 1e9))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    status = status_pb2.Status(code=code.value[0], message=message)
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    context.abort_with_status(rpc_status.to_status(status))
    raise AssertionError("unreachable")


def attribution(kind: str, *values: float, error: float = 0.01, **place: Any) -> pb.Attribution:
    """Returns the attribution of one player, with the same standard error for every target."""
    number = pb.PlayerKind.Value(f"PLAYER_KIND_{kind}")
    return pb.Attribution(kind=number, values=values, standard_errors=[error] * len(values), **place)


def explanation(request: pb.ExplainRequest, background_digest: str) -> pb.Explanation:
    """Returns an explanation of four events of two features. The two oldest are pruned. It has two targets, and adds up
    at every level.
    """
    quality = pb.LevelQuality(
        stop_reason=pb.STOP_REASON_TARGET, players=3, coalitions=8, largest_standard_error=0.01
    )
    pruned = attribution("PRUNED", 0.02, -0.02, first_event=-3, last_event=-2)
    return pb.Explanation(
        name="explanations/e1",
        caller_id=request.caller_id,
        labels=request.labels,
        model="models/m/versions/1",
        model_digest=request.model.digest,
        background_digest=background_digest,
        event_count=4,
        targets=[
            pb.TargetScore(name="fraud", base_value=0.1, score=0.9, raw_base_value=0.1, raw_score=0.9),
            pb.TargetScore(name="honest", base_value=0.9, score=0.1, raw_base_value=0.9, raw_score=0.1),
        ],
        explained=True,
        pruning=pb.Pruning(
            pruned_events=2,
            tolerance=[0.025, 0.025],
            scan_complete=True,
            curve=[pb.PruningPoint(event=-2, importance=[0.01, -0.01])],
            attribution=[0.02, -0.02],
            standard_error=[0.01, 0.01],
            verdicts=[pb.TOLERANCE_VERDICT_UNCERTAIN, pb.TOLERANCE_VERDICT_WITHIN],
            quality=quality,
        ),
        event_level=pb.LevelExplanation(
            attributions=[
                pruned,
                attribution("EVENT", -0.12, 0.12, event=-1),
                attribution("EVENT", 0.9, -0.9, event=0),
            ],
            quality=quality,
        ),
        feature_level=pb.LevelExplanation(
            attributions=[
                pruned,
                attribution("FEATURE", 0.7, -0.7, feature="amount"),
                attribution("FEATURE", 0.08, -0.08, feature="device"),
            ],
            quality=quality,
        ),
        cell_level=pb.LevelExplanation(
            attributions=[
                pruned,
                attribution("CELL", 0.6, -0.6, event=0, feature="amount", selection_uncertain=True),
                attribution("EVENT_REST", 0.1, -0.1, event=0),
                attribution("FEATURE_REST", 0.05, -0.05, feature="amount"),
                attribution("OTHER", 0.03, -0.03),
            ],
            quality=quality,
        ),
        features=[pb.Feature(name="amount", label="Amount", unit="EUR"), pb.Feature(name="device")],
        event_values=[
            pb.EventValues(event=-1, values=["12.00", "usual"]),
            pb.EventValues(event=0, values=["4210.00", "new"], info=request.sequence.events[-1])
            if request.sequence.events
            else pb.EventValues(event=0, values=["4210.00", "new"]),
        ],
        cost=pb.Cost(model_rows=8, model_calls=1),
        method_version="1",
    )


@dataclass
class Script(rpc.ExplanationServiceServicer, rpc.ModelServiceServicer, rpc.BackgroundServiceServicer):
    """The script of the server. `calls` records the name and the request of each call, in order."""

    uploads: bool = True
    failures: list[tuple[Any, ...]] = field(default_factory=list)
    calls: list[tuple[str, Any]] = field(default_factory=list)
    models: set[str] = field(default_factory=set)
    backgrounds: set[str] = field(default_factory=set)
    upload_failures: int = 0
    stored: dict[str, pb.GetExplanationResponse] = field(default_factory=dict)
    listed: list[pb.ExplanationSummary] = field(
        default_factory=lambda: [pb.ExplanationSummary(name=f"explanations/{n}") for n in range(5)]
    )

    @property
    def names(self) -> list[str]:
        """The names of the calls."""
        return [name for name, _ in self.calls]

    def Explain(self, request: pb.ExplainRequest, context: Any) -> pb.ExplainResponse:
        self.calls.append(("Explain", request))
        if self.failures:
            refuse(context, *self.failures.pop(0))
        self._check_model(request.model, context)
        return pb.ExplainResponse(explanation=explanation(request, self._background(request, context)))

    def ExplainStream(
        self, requests: Iterable[pb.ExplainStreamRequest], context: Any
    ) -> Iterator[pb.ExplainStreamResponse]:
        for index, message in enumerate(requests):
            self.calls.append(("ExplainStream", message))
            if not message.request.sequence.inputs[0].tensor.shape[0] % 2:
                error = pb.ItemStatus(
                    code=3, message="even", reason="EVEN", violations=[pb.FieldViolation(field="sequence")]
                )
                yield pb.ExplainStreamResponse(index=index, error=error)
            else:
                answer = explanation(message.request, self._background(message.request, context))
                yield pb.ExplainStreamResponse(index=index, explanation=answer)

    def GetExplanation(self, request: pb.GetExplanationRequest, context: Any) -> pb.GetExplanationResponse:
        self.calls.append(("GetExplanation", request))
        if request.name not in self.stored:
            refuse(context, grpc.StatusCode.NOT_FOUND, "EXPLANATION_NOT_FOUND", "no such explanation")
        return self.stored[request.name]

    def DeleteExplanation(
        self, request: pb.DeleteExplanationRequest, context: Any
    ) -> pb.DeleteExplanationResponse:
        self.calls.append(("DeleteExplanation", request))
        if request.WhichOneof("selector") == "name" and self.stored:
            return pb.DeleteExplanationResponse(deleted=int(self.stored.pop(request.name, None) is not None))
        return pb.DeleteExplanationResponse(deleted=3)

    def ListExplanations(
        self, request: pb.ListExplanationsRequest, context: Any
    ) -> pb.ListExplanationsResponse:
        self.calls.append(("ListExplanations", request))
        start = int(request.page_token or 0)
        found = self.listed[start : start + request.page_size]
        more = start + request.page_size < len(self.listed)
        return pb.ListExplanationsResponse(
            explanations=found, next_page_token=str(start + request.page_size) if more else ""
        )

    def RegisterModel(
        self, requests: Iterable[pb.RegisterModelRequest], context: Any
    ) -> pb.RegisterModelResponse:
        if self.upload_failures:
            self.upload_failures -= 1
            refuse(context, grpc.StatusCode.UNAVAILABLE, "DRAINING", "draining")
        header = next(iter(requests)).header
        content = b"".join(message.onnx_chunk for message in requests)
        self.calls.append(("RegisterModel", content))
        if not self.uploads:
            refuse(context, grpc.StatusCode.FAILED_PRECONDITION, "UPLOADS_DISABLED")
        digest = digest_of(content, header.schema_json)
        if header.digest != digest:
            refuse(context, grpc.StatusCode.INVALID_ARGUMENT, "DIGEST_MISMATCH")
        self.models.add(digest)
        return pb.RegisterModelResponse(model=pb.Model(name=f"models/{digest}/versions/1", digest=digest))

    def GetModel(self, request: pb.GetModelRequest, context: Any) -> pb.GetModelResponse:
        self.calls.append(("GetModel", request))
        digest = request.name.removeprefix("models/")
        self._check_model(pb.ModelReference(digest=digest), context)
        return pb.GetModelResponse(model=pb.Model(name=f"models/{digest}/versions/1", digest=digest))

    def CreateBackground(
        self, requests: Iterable[pb.CreateBackgroundRequest], context: Any
    ) -> pb.CreateBackgroundResponse:
        if self.upload_failures:
            self.upload_failures -= 1
            refuse(context, grpc.StatusCode.UNAVAILABLE, "DRAINING", "draining")
        messages = list(requests)
        self.calls.append(("CreateBackground", messages))
        sequences = sum(message.HasField("sequence") for message in messages)
        return pb.CreateBackgroundResponse(
            background=pb.Background(name=messages[0].header.name, rows=1, sequences=sequences)
        )

    def _check_model(self, model: pb.ModelReference, context: Any) -> None:
        if model.HasField("digest") and model.digest not in self.models:
            refuse(context, grpc.StatusCode.NOT_FOUND, "MODEL_NOT_FOUND", "no such model")

    def _background(self, request: pb.ExplainRequest, context: Any) -> str:
        if not request.HasField("background"):
            return "default"
        if request.background.HasField("digest"):
            if request.background.digest not in self.backgrounds:
                refuse(context, grpc.StatusCode.NOT_FOUND, "BACKGROUND_NOT_FOUND")
            return request.background.digest
        digest = hashlib.sha256(request.background.SerializeToString(deterministic=True)).hexdigest()
        self.backgrounds.add(digest)
        return digest


def add_services(script: Script, server: grpc.Server) -> None:
    """Adds all services of the script to a server."""
    rpc.add_ExplanationServiceServicer_to_server(script, server)
    rpc.add_ModelServiceServicer_to_server(script, server)
    rpc.add_BackgroundServiceServicer_to_server(script, server)


@contextmanager
def serving(script: Script) -> Iterator[str]:
    """Serves the script on a free port of this machine, and yields the address."""
    server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.max_receive_message_length", 2 << 20)])
    add_services(script, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()
