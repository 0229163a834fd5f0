"""What a method of the client does, as a flow: it yields calls and is sent their answers.

The two clients drive the same flows, one by blocking, one by awaiting. A call that fails is thrown into the
flow, as a SequelaError.

The law of models and backgrounds: send the digest; where the server does not know it, hand over the content.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeVar

from google.protobuf.message import Message
from sequela_proto.v1 import sequela_pb2 as pb

from sequela_client import responses
from sequela_client.content_digests import ContentDigests
from sequela_client.errors import UPLOADS_DISABLED, CallerError, NotFound, SequelaError
from sequela_client.explanation import Explanation
from sequela_client.models import ModelFile, ModelLike, choose
from sequela_client.streams import MessageStream

T = TypeVar("T")

MODEL_NOT_FOUND = "MODEL_NOT_FOUND"
BACKGROUND_NOT_FOUND = "BACKGROUND_NOT_FOUND"


@dataclass(frozen=True, slots=True)
class Call:
    """One call. `rpc`: a stub's name and a method's. `request`: a message, or several for a client stream."""

    rpc: str
    request: Any

    @property
    def blocking_request(self) -> Any:
        """The request as gRPC's blocking stubs want it: a message or an iterator."""
        return self.request if isinstance(self.request, Message) else iter(self.request)

    @property
    def failure(self) -> Exception | None:
        """What went wrong among the messages of a client stream, on the caller's side."""
        return self.request.failure if isinstance(self.request, MessageStream) else None


Flow = Generator[Call, Any, T]
Asking = Callable[[pb.ModelReference], Flow[T]]


def call(rpc: str, request: Any, decode: Callable[[Any], T]) -> Flow[T]:
    """One call, its answer decoded."""
    return decode((yield Call(rpc, request)))


def with_model(sent: ContentDigests, model: ModelLike, ask: Asking[T]) -> Flow[T]:
    """Asks by a model's digest, and again once the server has the model, where it does not."""
    chosen = choose(model)
    if isinstance(chosen, pb.ModelReference):
        return (yield from ask(chosen))
    try:
        return (yield from ask(sent.reference(chosen)))
    except NotFound as unknown:
        if unknown.reason != MODEL_NOT_FOUND:
            raise
    return (yield from ask((yield from hand_over(sent, chosen))))


def hand_over(sent: ContentDigests, file: ModelFile) -> Flow[pb.ModelReference]:
    """Registers a file's model. Where uploads are off it goes inline from now on, if it fits a message."""
    content = file.read()
    try:
        yield Call("models.RegisterModel", content.upload(""))
    except SequelaError as refused:
        if refused.reason != UPLOADS_DISABLED or len(content.onnx) > sent.max_inline_bytes:
            raise
        sent.send_inline(content.digest)
        return content.inline
    return pb.ModelReference(digest=content.digest)


def explain(
    sent: ContentDigests,
    model: ModelLike,
    background: pb.BackgroundReference | None,
    request: pb.ExplainRequest,
) -> Flow[Explanation]:
    """Explains one sequence. `request` lacks the model and the background."""

    def ask(reference: pb.ModelReference) -> Flow[Explanation]:
        request.model.CopyFrom(reference)
        if background is not None and background.HasField("values"):
            return (yield from _with_values(sent, background.values, request))
        if background is not None:
            request.background.CopyFrom(background)
        return (yield from _ask(request))

    return (yield from with_model(sent, model, ask))


def _with_values(
    sent: ContentDigests, values: pb.BackgroundValues, request: pb.ExplainRequest
) -> Flow[Explanation]:
    """Asks by the digest of values that were sent before; with the values where the server knows none."""
    digest = sent.background(request, values)
    if digest:
        request.background.digest = digest
        try:
            return (yield from _ask(request))
        except NotFound as unknown:
            if unknown.reason != BACKGROUND_NOT_FOUND:
                raise
    request.background.values.CopyFrom(values)
    answer = yield from _ask(request)
    sent.learn(request, values, answer.background_digest)
    return answer


def _ask(request: pb.ExplainRequest) -> Flow[Explanation]:
    return call("explanations.Explain", request, lambda answer: responses.explanation(answer.explanation))


def known_model(sent: ContentDigests, model: ModelLike) -> Flow[pb.ModelReference]:
    """A reference that the server knows before a stream begins, as a stream cannot be asked again."""
    chosen = choose(model)
    if isinstance(chosen, pb.ModelReference):
        return chosen
    reference = sent.reference(chosen)
    if not reference.HasField("digest"):
        return reference
    try:
        yield Call("models.GetModel", pb.GetModelRequest(name=f"models/{reference.digest}"))
    except NotFound:
        return (yield from hand_over(sent, chosen))
    return reference


def background_header(
    sent: ContentDigests, model: ModelLike, header: pb.CreateBackgroundHeader
) -> Flow[pb.CreateBackgroundRequest]:
    """The header with its model and its full name `models/m/backgrounds/b`."""
    reference = yield from known_model(sent, model)
    known = reference.name or (f"models/{reference.digest}" if reference.digest else "")
    if not known:
        raise CallerError(
            "a background needs a model that is registered with the server", reason="MODEL_NOT_REGISTERED"
        )
    described = yield Call("models.GetModel", pb.GetModelRequest(name=known))
    header.model.CopyFrom(reference)
    if "/" not in header.name:
        parent = described.model.name.split("/versions/")[0]
        header.name = f"{parent}/backgrounds/{header.name}"
    return pb.CreateBackgroundRequest(header=header)
