"""One function for each method of the clients, which returns the operation or listing that a client carries out.

Models and backgrounds are first sent as digests. Their content is sent only if the server does not know the digest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sequela_proto.v1 import sequela_pb2 as pb

from sequela_client import arguments, requests, resources, responses
from sequela_client.callers import Caller, caller
from sequela_client.calls import Call, Listing, Operation, call
from sequela_client.content_digests import ContentDigests
from sequela_client.errors import (
    BACKGROUND_NOT_FOUND,
    MODEL_NOT_FOUND,
    UPLOADS_DISABLED,
    CallerError,
    NotFound,
    SequelaError,
)
from sequela_client.explanation import Explanation
from sequela_client.explanation_stream import ExplanationStream
from sequela_client.inputs import BackgroundLike, BackgroundValues, SequenceLike, Values
from sequela_client.model_inputs.category_columns import CategoryColumns
from sequela_client.model_inputs.layout import Layout, layout_of, schema_layout
from sequela_client.models import ModelFile, ModelLike, choose, with_missing_file
from sequela_client.option_messages import options_message
from sequela_client.options import Options
from sequela_client.priority import Priority, priority_number
from sequela_client.requests import Average, BackgroundShape
from sequela_client.resources import Background, ExplanationSummary, Model, Scores
from sequela_client.streams import AnyIterable, MessageStream
from sequela_client.tables import ReadText, TextInTable, only_numbers, text_unknown

T = TypeVar("T")


def explain(
    digests: ContentDigests,
    sequence: SequenceLike,
    model: ModelLike,
    background: BackgroundLike,
    options: Options,
    caller_id: str | None,
    labels: Mapping[str, str] | None,
    dry_run: bool,
    priority: Priority | None,
) -> Operation[Explanation]:
    """Explains one sequence."""
    message = options_message(options)

    def make(read_text: ReadText) -> tuple[pb.ExplainRequest, pb.BackgroundReference | None]:
        request = requests.explain(sequence, message, caller_id, labels, read_text)
        return request, requests.background_reference(background, read_text)

    # A wrong argument is reported here, before a model is uploaded.
    request, reference = yield from _read_with_text(digests, model, make)
    request.dry_run = bool(dry_run)
    request.priority = priority_number(priority)

    def ask(known: pb.ModelReference) -> Operation[Explanation]:
        request.model.CopyFrom(known)
        if reference is not None and reference.HasField("values"):
            return (yield from _explain_with_values(digests, reference.values, request))
        if reference is not None:
            request.background.CopyFrom(reference)
        return (yield from _explain(request))

    return (yield from _with_model(digests, model, ask))


def explain_many(
    digests: ContentDigests,
    model: ModelLike,
    background: BackgroundLike,
    options: Options,
    timeout: float | None,
    dry_run: bool,
    priority: Priority | None,
) -> Operation[ExplanationStream]:
    """Prepares a stream of requests that differ only in their sequence. `timeout` is in seconds, for each request."""
    message = options_message(options)
    number = priority_number(priority)
    reference = yield from _read_with_text(digests, model, partial(requests.background_reference, background))
    # The messages of a stream are sent before the first answer arrives, so the server must have the model by then.
    known = yield from _registered_model(digests, model)
    # Once the stream has begun, it is too late to ask what the text in one of its sequences means.
    layout = yield from _layout(known, model)
    return _TextStream(known.reference, reference, message, timeout, bool(dry_run), number, layout)


def score(
    digests: ContentDigests,
    sequences: SequenceLike | Iterable[SequenceLike],
    model: ModelLike,
    targets: Iterable[str | int] | str | int | None,
    output_event: int | None,
) -> Operation[Scores]:
    """Scores sequences."""
    request = yield from _read_with_text(
        digests, model, partial(requests.score, sequences, targets, output_event)
    )

    def ask(known: pb.ModelReference) -> Operation[Scores]:
        request.model.CopyFrom(known)
        return call("explanations.Score", request, resources.scores)

    return (yield from _with_model(digests, model, ask))


def get_explanation(name: str, sequence: bool) -> Operation[Explanation]:
    """Reads a stored explanation, with its sequence or without."""
    request = pb.GetExplanationRequest(name=arguments.string("name", name), omit_sequence=not sequence)
    return call("explanations.GetExplanation", request, responses.stored_explanation)


def list_explanations(
    caller_id: str,
    model: str,
    labels: Mapping[str, str] | None,
    start: datetime | None,
    end: datetime | None,
    min_score: float | None,
    max_score: float | None,
    page_size: int,
) -> Listing[ExplanationSummary]:
    """Lists stored explanations, newest first."""
    request = requests.list_explanations(
        caller_id, model, labels, start, end, min_score, max_score, page_size
    )
    return Listing("explanations.ListExplanations", request, "explanations", resources.summary)


def delete_explanations(
    name: str | None, caller_id: str | None, label: tuple[str, str] | None
) -> Operation[int]:
    """Deletes stored explanations, and returns how many they were."""
    request = requests.delete_explanations(name, caller_id, label)
    return call("explanations.DeleteExplanation", request, lambda answer: int(answer.deleted))


def register_model(path: ModelLike, name: str) -> Operation[Model]:
    """Uploads a model file."""
    chosen = choose(path)
    if not isinstance(chosen, ModelFile):
        raise CallerError(f"path: {path!r} is not the path of an ONNX file", reason="NOT_A_PATH")
    upload = chosen.read().upload(arguments.string("name", name))
    return _naming(chosen, call("models.RegisterModel", upload, lambda answer: resources.model(answer.model)))


def get_model(name: str) -> Operation[Model]:
    """Describes a model."""
    request = pb.GetModelRequest(name=arguments.string("name", name))
    return call("models.GetModel", request, lambda answer: resources.model(answer.model))


def list_models(page_size: int) -> Listing[Model]:
    """Lists models, ordered by name."""
    request = pb.ListModelsRequest(page_size=arguments.whole_number("page_size", page_size))
    return Listing("models.ListModels", request, "models", resources.model)


def delete_model(name: str) -> Operation[None]:
    """Deletes an uploaded model."""
    request = pb.DeleteModelRequest(name=arguments.string("name", name))
    return call("models.DeleteModel", request, lambda _: None)


def create_background(
    digests: ContentDigests, name: str, values: BackgroundValues | Values, model: ModelLike
) -> Operation[Background]:
    """Stores background values under a name."""
    read = yield from _read_with_text(digests, model, partial(requests.background_values, values))
    message = pb.CreateBackgroundRequest(values=read)
    header = yield from _background_header(digests, model, requests.background_header(name))
    return (yield from call("backgrounds.CreateBackground", [header, message], _background))


def average_background(
    digests: ContentDigests,
    name: str,
    sequences: AnyIterable[SequenceLike],
    model: ModelLike,
    average: Average,
    shape: BackgroundShape,
) -> Operation[Background]:
    """Averages sequences into a background, and stores it under a name."""
    # The arguments are checked before the model is uploaded.
    unnamed = requests.background_header(name, average, shape)
    header = yield from _background_header(digests, model, unnamed)
    layout = yield from _layout(_Registered(header.header.model), model)
    make = partial(requests.average_message, read_text=_read_text(layout))
    messages = MessageStream(sequences, make, head=[header])
    return (yield from call("backgrounds.CreateBackground", messages, _background))


def get_background(name: str) -> Operation[Background]:
    """Reads a background with its values."""
    request = pb.GetBackgroundRequest(name=arguments.string("name", name))
    return call("backgrounds.GetBackground", request, _background)


def list_backgrounds(model: str, page_size: int) -> Listing[Background]:
    """Lists backgrounds, ordered by name."""
    request = pb.ListBackgroundsRequest(
        page_size=arguments.whole_number("page_size", page_size), model=arguments.string("model", model)
    )
    return Listing("backgrounds.ListBackgrounds", request, "backgrounds", resources.background)


def delete_background(name: str) -> Operation[None]:
    """Deletes a background."""
    request = pb.DeleteBackgroundRequest(name=arguments.string("name", name))
    return call("backgrounds.DeleteBackground", request, lambda _: None)


def get_caller() -> Operation[Caller]:
    """Asks the server how it identifies the caller."""
    return call("access.GetCaller", pb.GetCallerRequest(), lambda answer: caller(answer.caller))


@dataclass(frozen=True, slots=True)
class _Registered:
    """A model that the server has, and what it said about it, if it was asked."""

    reference: pb.ModelReference
    described: pb.Model | None = None


@dataclass(slots=True)
class _TextStream(ExplanationStream):
    """A stream of explanations whose sequences may hold names of categories."""

    layout: Layout | None = None

    def _request(self, given: SequenceLike) -> pb.ExplainRequest:
        return requests.explain(given, self.options, read_text=_read_text(self.layout))


def _read_text(layout: Layout | None) -> ReadText:
    return only_numbers if layout is None else CategoryColumns(layout)


def _read_with_text(digests: ContentDigests, model: ModelLike, make: Callable[[ReadText], T]) -> Operation[T]:
    """Makes a message from the caller's values. The server is asked about the model only if a table holds text."""
    try:
        return make(text_unknown)
    except TextInTable:
        known = yield from _registered_model(digests, model)
    return make(_read_text((yield from _layout(known, model))))


def _layout(known: _Registered, model: ModelLike) -> Operation[Layout | None]:
    """Returns the inputs and features of a model; None if neither the server nor a schema.json describes them."""
    if known.described is not None:
        return layout_of(resources.model(known.described))
    name = _resource_name(known.reference)
    if not name:
        chosen = choose(model)
        schema = chosen.schema if isinstance(chosen, ModelFile) else getattr(model, "schema", None)
        return schema_layout(Path(schema)) if schema else None
    try:
        answer = yield Call("models.GetModel", pb.GetModelRequest(name=name))
    except SequelaError:
        # The request itself will fail, with an error for each sequence.
        return None
    return layout_of(resources.model(answer.model))


def _resource_name(reference: pb.ModelReference) -> str:
    """Returns the name by which the server describes a model; empty for one that it does not hold."""
    return reference.name or (f"models/{reference.digest}" if reference.digest else "")


def _with_model(
    digests: ContentDigests, model: ModelLike, ask: Callable[[pb.ModelReference], Operation[T]]
) -> Operation[T]:
    """Sends the model's digest. If the server does not know it, uploads the model and sends the request again."""
    chosen = choose(model)
    if isinstance(chosen, pb.ModelReference):
        return (yield from _named(chosen.name, ask(chosen)))
    try:
        # Most calls are about a model that the server has, and then its digest is enough.
        return (yield from ask(digests.reference(chosen)))
    except NotFound as unknown:
        if unknown.reason != MODEL_NOT_FOUND:
            raise
    uploaded = yield from _upload(digests, chosen)
    return (yield from ask(uploaded.reference))


def _named(name: str, asked: Operation[T]) -> Operation[T]:
    """Says of a name that may be meant as a path, such as `m/3`, that there is no such file either."""
    try:
        return (yield from asked)
    except NotFound as unknown:
        raise with_missing_file(unknown, name) from None


def _upload(digests: ContentDigests, file: ModelFile) -> Operation[_Registered]:
    """Registers the model of a file. If uploads are off, the model is sent with each request, if it fits a message."""
    content = file.read()
    try:
        answer = yield from _naming(file, call("models.RegisterModel", content.upload(""), lambda made: made))
    except SequelaError as refused:
        # A model that does not fit a message cannot be sent inline, so the refusal stands.
        if refused.reason != UPLOADS_DISABLED or len(content.onnx) > digests.max_inline_bytes:
            raise
        digests.send_inline(content.digest)
        return _Registered(content.inline)
    return _Registered(pb.ModelReference(digest=content.digest), answer.model)


def _naming(file: ModelFile, upload: Operation[T]) -> Operation[T]:
    """Names the file in an error about the content of a model."""
    try:
        return (yield from upload)
    except CallerError as refused:
        if "model" not in {each.field for each in refused.violations}:
            raise
        text = f"model {file.path}: {refused.message.removeprefix('model: ')}"
        raise type(refused)(text, reason=refused.reason, violations=refused.violations) from refused


def _registered_model(digests: ContentDigests, model: ModelLike) -> Operation[_Registered]:
    """Returns a model that the server has, which a stream needs: its messages cannot be sent again."""
    chosen = choose(model)
    if isinstance(chosen, pb.ModelReference):
        return _Registered(chosen)
    reference = digests.reference(chosen)
    if not reference.HasField("digest"):
        return _Registered(reference)
    try:
        answer = yield Call("models.GetModel", pb.GetModelRequest(name=_resource_name(reference)))
    except NotFound:
        return (yield from _upload(digests, chosen))
    return _Registered(reference, answer.model)


def _explain_with_values(
    digests: ContentDigests, values: pb.BackgroundValues, request: pb.ExplainRequest
) -> Operation[Explanation]:
    """Sends the digest of background values that were sent before, or else the values."""
    digest = digests.background(request, values)
    if digest:
        request.background.digest = digest
        try:
            return (yield from _explain(request))
        except NotFound as unknown:
            if unknown.reason != BACKGROUND_NOT_FOUND:
                raise
    request.background.values.CopyFrom(values)
    answer = yield from _explain(request)
    digests.remember_background(request, values, answer.background_digest)
    return answer


def _explain(request: pb.ExplainRequest) -> Operation[Explanation]:
    return call("explanations.Explain", request, _explanation)


def _background_header(
    digests: ContentDigests, model: ModelLike, header: pb.CreateBackgroundHeader
) -> Operation[pb.CreateBackgroundRequest]:
    """Returns the header with its model and its full name, `models/m/backgrounds/b`."""
    reference = (yield from _registered_model(digests, model)).reference
    known = _resource_name(reference)
    if not known:
        raise CallerError(
            "model: a background belongs to a model that the server has, and this server refuses uploads; name one of "
            "its own models",
            reason="MODEL_NOT_REGISTERED",
        )
    # The server knows the full name of a model that is named by its digest or without a version.
    described = yield from _named(reference.name, get_model(known))
    header.model.CopyFrom(reference)
    if "/" not in header.name:
        parent = described.name.split("/versions/")[0]
        header.name = f"{parent}/backgrounds/{header.name}"
    return pb.CreateBackgroundRequest(header=header)


def _explanation(answer: Any) -> Explanation:
    return responses.explanation(answer.explanation)


def _background(answer: Any) -> Background:
    return resources.background(answer.background)
