"""A table of bad requests, with the status, the reason and the field of each error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
import hostile
import numpy as np
from api.rpc_calls import COLUMNS, EVENTS, background, explain_request, sequence, upload
from google.protobuf.timestamp_pb2 import Timestamp
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Serving, inputs

INVALID = grpc.StatusCode.INVALID_ARGUMENT
FLOAT = pb.DATA_TYPE_FLOAT32
NAN, INFINITE = float("nan"), float("inf")


@dataclass(frozen=True)
class Bad:
    """A call that must fail, and its error."""

    title: str
    call: Callable[[Serving], Any]
    reason: str
    fields: tuple[str, ...] = ()
    code: grpc.StatusCode = INVALID

    def __str__(self) -> str:
        return self.title


def explain(title: str, reason: str, *fields: str, code: grpc.StatusCode = INVALID, **changed: Any) -> Bad:
    request = explain_request(**changed)
    return Bad(title, lambda server: server.explanations.Explain(request), reason, fields, code)


def with_tensor(title: str, reason: str, field: str, **parts: Any) -> Bad:
    given = pb.Sequence(inputs=[pb.InputTensor(tensor=pb.Tensor(**parts))])
    return explain(title, reason, f"sequence.inputs[0].tensor{field}", sequence=given)


def with_option(title: str, reason: str, *fields: str, **options: Any) -> Bad:
    paths = (f"options.{field}" for field in fields or options)
    return explain(title, reason, *paths, options=pb.ExplainOptions(**options))


def with_values(title: str, reason: str, field: str, values: Any, name: str = "") -> Bad:
    return explain(title, reason, field, sequence=pb.Sequence(inputs=inputs(values, name)))


def with_columns(title: str, reason: str, *columns: str) -> Bad:
    (message,) = inputs(np.zeros((3, COLUMNS)))
    message.columns.extend(columns)
    return explain(title, reason, "sequence.inputs[0].columns", sequence=pb.Sequence(inputs=[message]))


def with_model(title: str, reason: str, *fields: str, code: grpc.StatusCode = INVALID, **model: Any) -> Bad:
    return explain(title, reason, *fields, code=code, model=pb.ModelReference(**model))


def with_onnx(title: str, reason: str, onnx: bytes) -> Bad:
    return with_model(title, reason, "model.inline.onnx", inline=pb.InlineModel(onnx=onnx))


def other(
    title: str,
    service: str,
    method: str,
    request: Any,
    reason: str,
    *fields: str,
    code: grpc.StatusCode = INVALID,
) -> Bad:
    return Bad(title, lambda server: getattr(getattr(server, service), method)(request), reason, fields, code)


def uploading(title: str, reason: str, field: str, messages: list[pb.RegisterModelRequest]) -> Bad:
    return Bad(title, lambda server: server.models.RegisterModel(iter(messages)), reason, (field,))


def creating(title: str, reason: str, field: str, *messages: pb.CreateBackgroundRequest) -> Bad:
    call: Callable[[Serving], Any] = lambda server: server.backgrounds.CreateBackground(iter(messages))  # noqa: E731
    return Bad(title, call, reason, (field,))


def header(**fields: Any) -> pb.CreateBackgroundRequest:
    return pb.CreateBackgroundRequest(header=pb.CreateBackgroundHeader(**fields))


def spoiled(value: float) -> np.ndarray:
    values = np.zeros((EVENTS, COLUMNS))
    values[3, 1] = value
    return values


EVENT = pb.EventInfo
LONG = "x" * 257
HALF = upload("half")
ONE_SEQUENCE = pb.CreateBackgroundRequest(sequence=sequence())

TENSORS = [
    with_values("NaN", "TENSOR_NOT_FINITE", "sequence.inputs[0].tensor", spoiled(NAN)),
    with_values("infinity", "TENSOR_NOT_FINITE", "sequence.inputs[0].tensor", spoiled(INFINITE)),
    explain(
        "NaN in the background",
        "TENSOR_NOT_FINITE",
        "background.values.inputs[0].tensor",
        background=pb.BackgroundReference(values=pb.BackgroundValues(inputs=inputs([NAN] * COLUMNS))),
    ),
    with_values(
        "another number of features", "SHAPE_MISMATCH", "sequence.inputs[0].tensor.shape", np.zeros((3, 2))
    ),
    with_columns("fewer names than columns", "COLUMN_NAMES", "a", "b"),
    with_columns("a name twice", "COLUMN_NAMES", *["a"] * COLUMNS),
    with_values(
        "a batch axis", "SHAPE_MISMATCH", "sequence.inputs[0].tensor.shape", np.zeros((1, 3, COLUMNS))
    ),
    with_values(
        "an unknown input", "INPUT_UNKNOWN", "sequence.inputs[0].name", np.zeros((3, COLUMNS)), "nope"
    ),
    with_values(
        "an input's long name", "TEXT_TOO_LONG", "sequence.inputs[0].name", np.zeros((3, COLUMNS)), LONG
    ),
    with_tensor("no elements", "TENSOR_ELEMENTS", "", dtype=FLOAT, shape=[0, COLUMNS]),
    with_tensor("two kinds of elements", "TENSOR_ELEMENTS", "", shape=[1], numbers=[1], integers=[1]),
    with_tensor("an axis of zero", "TENSOR_SHAPE", ".shape", shape=[0, COLUMNS], numbers=[1]),
    with_tensor("a negative axis", "TENSOR_SHAPE", ".shape", shape=[-1, COLUMNS], numbers=[1]),
    with_tensor("an axis past memory", "TENSOR_SIZE", ".raw", dtype=FLOAT, shape=[1 << 62, 8], raw=bytes(8)),
    with_tensor("bytes missing", "TENSOR_SIZE", ".raw", dtype=FLOAT, shape=[2, COLUMNS], raw=bytes(39)),
    with_tensor("numbers missing", "TENSOR_SIZE", ".numbers", shape=[2, COLUMNS], numbers=[1, 2]),
    with_tensor("raw without a type", "TENSOR_DTYPE", ".dtype", shape=[1], raw=bytes(8)),
    with_tensor("an unknown type", "TENSOR_DTYPE", ".dtype", dtype=99, shape=[1], numbers=[1]),
    with_tensor("a fraction as an integer", "TENSOR_VALUE", ".numbers", dtype=4, shape=[1], numbers=[0.5]),
    with_tensor(
        "a number past its type", "TENSOR_VALUE", ".integers", dtype=3, shape=[1], integers=[1 << 40]
    ),
    with_tensor("a bool of two", "TENSOR_VALUE", ".raw", dtype=5, shape=[2], raw=b"\x01\x02"),
    with_tensor("past float32", "TENSOR_NOT_FINITE", "", dtype=FLOAT, shape=[1, 1], numbers=[1e300]),
    explain("an empty sequence", "SEQUENCE_EMPTY", "sequence.inputs", sequence=pb.Sequence()),
    explain(
        "too many notes",
        "EVENT_INFO_COUNT",
        "sequence.events",
        sequence=pb.Sequence(inputs=sequence().inputs, events=[EVENT()]),
    ),
    explain(
        "a note's long id",
        "TEXT_TOO_LONG",
        "sequence.events[1].id",
        sequence=pb.Sequence(inputs=sequence().inputs, events=[EVENT(), EVENT(id=LONG)]),
    ),
    explain(
        "a note's impossible time",
        "TIME_INVALID",
        "sequence.events[0].time",
        sequence=pb.Sequence(inputs=sequence().inputs, events=[EVENT(time=Timestamp(seconds=1 << 60))]),
    ),
]

OPTIONS = [
    *(
        with_option(f"{name} {value}", "OPTION_OUT_OF_RANGE", **{name: value})
        for name in ("pruning_tolerance", "cell_threshold", "target_standard_error")
        for value in (-0.1, NAN, INFINITE)
    ),
    with_option("minimum_score NaN", "OPTION_OUT_OF_RANGE", minimum_score=NAN),
    *(
        with_option(f"{name} {value}", "OPTION_OUT_OF_RANGE", **{name: value})
        for name in ("top_k_events", "top_k_features")
        for value in (-1, 0, 1 << 30)
    ),
    *(
        with_option(f"max_coalitions {n}", "OPTION_OUT_OF_RANGE", max_coalitions=n)
        for n in (-1, 0, (1 << 20) + 1, 1 << 62)
    ),
    with_option("an event of the future", "OPTION_OUT_OF_RANGE", output_event=1),
    with_option("an event before all limits", "OPTION_OUT_OF_RANGE", output_event=-(1 << 30)),
    with_option("an event of a model without", "OUTPUT_EVENT_UNSUPPORTED", output_event=-1),
    with_option("θ with top k", "OPTIONS_CONFLICT", "cell_threshold", cell_threshold=0.0, top_k_events=3),
    with_option("an unknown level", "ENUM_UNKNOWN", "levels[1]", levels=[1, 9]),
    with_option("an unspecified level", "ENUM_UNKNOWN", "levels[0]", levels=[0]),
    with_option("an unknown scope", "ENUM_UNKNOWN", feature_scope=9),
    with_option("an unknown link", "ENUM_UNKNOWN", link=9),
    with_option("an unknown target", "TARGET_UNKNOWN", "targets[0]", targets=["nope"]),
    with_option("a target twice", "TARGET_REPEATED", "targets", targets=["0", "0"]),
    with_option("a target's long name", "TEXT_TOO_LONG", "targets[0]", targets=[LONG]),
    with_option("too many targets", "TOO_MANY_TARGETS", "targets", targets=["0"] * 65),
    explain("a long caller id", "TEXT_TOO_LONG", "caller_id", caller_id=LONG),
    explain("too many labels", "TOO_MANY_TEXTS", "labels", labels={str(n): "" for n in range(65)}),
    explain("a label without a key", "NAME_INVALID", "labels['']", labels={"": "fraud"}),
    explain("a label's long value", "TEXT_TOO_LONG", "labels['team']", labels={"team": LONG}),
]

MODELS = [
    with_model("no model", "MODEL_MISSING", "model"),
    with_model("a model's odd name", "NAME_INVALID", "model.name", name="../../etc/passwd"),
    with_model("a model of dots", "NAME_INVALID", "model.name", name="models/.."),
    with_model("an odd digest", "NAME_INVALID", "model.digest", digest="abc"),
    with_model("an unknown model", "MODEL_NOT_FOUND", code=grpc.StatusCode.NOT_FOUND, name="nope"),
    with_model("an unknown digest", "MODEL_NOT_FOUND", code=grpc.StatusCode.NOT_FOUND, digest="0" * 64),
    with_model(
        "an endpoint that is not on the list",
        "ENDPOINT_NOT_ALLOWED",
        "model.endpoint.uri",
        code=grpc.StatusCode.FAILED_PRECONDITION,
        endpoint=pb.EndpointModel(uri="grpc://host:1/m"),
    ),
    with_model(
        "an endpoint that is none",
        "ENDPOINT_URI_INVALID",
        "model.endpoint.uri",
        endpoint=pb.EndpointModel(uri="file://localhost/etc/passwd"),
    ),
    with_onnx("no bytes", "MODEL_EMPTY", b""),
    with_onnx("text for ONNX", "MODEL_NOT_ONNX", hostile.not_onnx()),
    with_onnx("half an ONNX file", "MODEL_NOT_ONNX", hostile.truncated(hostile.plain())),
    with_onnx("external data", "MODEL_EXTERNAL_DATA", hostile.with_external_data()),
    with_onnx("a custom operator", "MODEL_CUSTOM_OPERATORS", hostile.with_custom_operator()),
    with_model(
        "a schema that is no JSON",
        "SCHEMA_INVALID",
        "model.inline.schema_json",
        inline=pb.InlineModel(onnx=hostile.plain(), schema_json=b"{"),
    ),
    uploading("chunks without a header", "UPLOAD_ORDER", "header", HALF[1:]),
    uploading("two headers", "UPLOAD_ORDER", "header", [HALF[0], *HALF]),
    uploading("a header alone", "MODEL_EMPTY", "onnx_chunk", HALF[:1]),
    uploading("an empty message", "UPLOAD_ORDER", "onnx_chunk", [HALF[0], pb.RegisterModelRequest()]),
    uploading("an upload of nothing", "UPLOAD_ORDER", "header", []),
    uploading("an upload cut short", "DIGEST_MISMATCH", "header.digest", upload("half", digest="0" * 64)),
    uploading("an upload's odd name", "NAME_INVALID", "header.name", upload("a/b/c")),
    uploading(
        "an upload past its limit",
        "MODEL_TOO_LARGE",
        "onnx_chunk",
        upload("big", bytes(65 << 20), chunk=4 << 20),
    ),
]

BACKGROUNDS = [
    explain("an empty background", "BACKGROUND_EMPTY", "background", background=pb.BackgroundReference()),
    explain(
        "no background at all",
        "BACKGROUND_MISSING",
        "background",
        code=grpc.StatusCode.FAILED_PRECONDITION,
        background=None,
    ),
    explain(
        "an unknown background",
        "BACKGROUND_NOT_FOUND",
        code=grpc.StatusCode.NOT_FOUND,
        background=pb.BackgroundReference(name="nope"),
    ),
    explain(
        "a background's odd name",
        "NAME_INVALID",
        "background.name",
        background=pb.BackgroundReference(name="a b"),
    ),
    creating(
        "an empty message after the header",
        "UPLOAD_ORDER",
        "values",
        header(model=explain_request().model),
        pb.CreateBackgroundRequest(),
    ),
    creating("values without a header", "UPLOAD_ORDER", "header", ONE_SEQUENCE),
    creating("a background of nothing", "NO_SEQUENCES", "sequence", header(model=explain_request().model)),
    creating(
        "sequences and values",
        "UPLOAD_ORDER",
        "values",
        header(model=explain_request().model),
        ONE_SEQUENCE,
        pb.CreateBackgroundRequest(values=background().values),
    ),
    creating(
        "an unknown average",
        "ENUM_UNKNOWN",
        "header.average",
        header(model=explain_request().model, average=9),
    ),
    creating(
        "a sequence that does not fit",
        "SHAPE_MISMATCH",
        "sequence.inputs[0].tensor.shape",
        header(model=explain_request().model),
        ONE_SEQUENCE,
        pb.CreateBackgroundRequest(sequence=pb.Sequence(inputs=inputs(np.zeros((2, 2))))),
    ),
    creating(
        "a background of another model",
        "NAME_INVALID",
        "header.name",
        header(name="models/other/backgrounds/b", model=explain_request().model),
    ),
]

LISTS = [
    other(
        f"{method} page of minus one",
        service,
        method,
        request(page_size=-1),
        "OPTION_OUT_OF_RANGE",
        "page_size",
    )
    for service, method, request in (
        ("explanations", "ListExplanations", pb.ListExplanationsRequest),
        ("models", "ListModels", pb.ListModelsRequest),
        ("backgrounds", "ListBackgrounds", pb.ListBackgroundsRequest),
    )
] + [
    other(
        "a foreign page token",
        "explanations",
        "ListExplanations",
        pb.ListExplanationsRequest(page_token="nope"),
        "PAGE_TOKEN_INVALID",
        "page_token",
    ),
    other(
        "a time span without time",
        "explanations",
        "ListExplanations",
        pb.ListExplanationsRequest(start_time=Timestamp(seconds=7), end_time=Timestamp(seconds=7)),
        "OPTIONS_CONFLICT",
        "end_time",
    ),
    other(
        "a time span that runs backwards, from the epoch",
        "explanations",
        "ListExplanations",
        pb.ListExplanationsRequest(start_time=Timestamp(seconds=0), end_time=Timestamp(seconds=-1)),
        "OPTIONS_CONFLICT",
        "end_time",
    ),
    other(
        "an unknown explanation",
        "explanations",
        "GetExplanation",
        pb.GetExplanationRequest(name="explanations/nope"),
        "EXPLANATION_NOT_FOUND",
        code=grpc.StatusCode.NOT_FOUND,
    ),
    other(
        "an explanation's odd name",
        "explanations",
        "GetExplanation",
        pb.GetExplanationRequest(name="nope"),
        "NAME_INVALID",
        "name",
    ),
    other(
        "no sequence to score",
        "explanations",
        "Score",
        pb.ScoreRequest(model=explain_request().model),
        "OPTION_OUT_OF_RANGE",
        "sequences",
    ),
    other(
        "too many to score",
        "explanations",
        "Score",
        pb.ScoreRequest(model=explain_request().model, sequences=[pb.Sequence()] * 1025),
        "OPTION_OUT_OF_RANGE",
        "sequences",
    ),
    other("a model without name", "models", "GetModel", pb.GetModelRequest(), "NAME_INVALID", "name"),
    other(
        "an unknown model to delete",
        "models",
        "DeleteModel",
        pb.DeleteModelRequest(name="nope"),
        "MODEL_NOT_FOUND",
        code=grpc.StatusCode.NOT_FOUND,
    ),
    other(
        "an unknown background to delete",
        "backgrounds",
        "DeleteBackground",
        pb.DeleteBackgroundRequest(name="models/m/backgrounds/b"),
        "BACKGROUND_NOT_FOUND",
        code=grpc.StatusCode.NOT_FOUND,
    ),
]

TABLE = [*TENSORS, *OPTIONS, *MODELS, *BACKGROUNDS, *LISTS]
