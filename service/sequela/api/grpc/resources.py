"""The name that a message is about: of a model, a background or an explanation."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from sequela_proto.v1 import sequela_pb2 as pb

from sequela.api.audited_names import BY_CALLER_ID, BY_LABEL, ENDPOINT

_NAMES = ("name", "model_name")
_PARTS = ("header", "request")


def resource_of(message: Any) -> str:
    """Returns the name in a request, or empty if there is none. The name has not been checked."""
    if message.DESCRIPTOR.name.startswith("List"):
        # A list is served for any filter, also for a name that the server does not have.
        return ""
    if isinstance(message, pb.DeleteExplanationRequest):
        return _deletion(message)
    fields = message.DESCRIPTOR.fields_by_name
    for field in _NAMES:
        if field in fields and getattr(message, field):
            return str(getattr(message, field))
    model = getattr(message, "model", "")
    if isinstance(model, pb.ModelReference):
        return reference_name(model)
    for field in _PARTS:
        if field in fields and message.HasField(field):
            return resource_of(getattr(message, field))
    return str(model)


def _deletion(message: pb.DeleteExplanationRequest) -> str:
    """Returns the name of the explanation, or by what it is chosen, without the caller id and the label."""
    match message.WhichOneof("selector"):
        case "caller_id":
            return BY_CALLER_ID
        case "label":
            return BY_LABEL
        case _:
            return message.name


def reference_name(model: pb.ModelReference) -> str:
    """Returns the name or digest of a model, the host of its endpoint, or `inline` for a model that was sent."""
    match model.WhichOneof("model"):
        case "name":
            return model.name
        case "digest":
            return model.digest
        case "endpoint":
            return f"{ENDPOINT} at {_host(model.endpoint.uri)}"
        case kind:
            return kind or ""


def _host(uri: str) -> str:
    """Returns the host of a URI that has not been checked, without passwords and paths."""
    try:
        return urlsplit(uri).hostname or "an unknown host"
    except ValueError:
        return "an unknown host"
