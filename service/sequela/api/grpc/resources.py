"""The name that a message is about: of a model, a background or an explanation."""

from __future__ import annotations

from typing import Any

from sequela_proto.v1 import sequela_pb2 as pb

_NAMES = ("name", "model_name")
_PARTS = ("header", "request")


def resource_of(message: Any) -> str:
    """Returns the name in a request, or empty if there is none. The name has not been checked."""
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


def reference_name(model: pb.ModelReference) -> str:
    """Returns the name, digest or address of a model; for a model that was sent, `inline`."""
    match model.WhichOneof("model"):
        case "name":
            return model.name
        case "digest":
            return model.digest
        case "endpoint":
            return model.endpoint.uri
        case kind:
            return kind or ""
