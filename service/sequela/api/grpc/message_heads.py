"""Reads the first fields of a request, so that the rest can be passed on without parsing it, and writes explanations
that are encoded already into responses.

The messages here have the field numbers of `sequela.v1` for what this process has to know, and treat all else as
unknown fields.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, duration_pb2, message_factory
from google.protobuf.descriptor_pool import Default
from google.protobuf.message import DecodeError
from sequela_proto.v1 import sequela_pb2 as pb

from sequela.errors import InvalidInput

PACKAGE = "sequela.heads"
MALFORMED = "MESSAGE_MALFORMED"
_Field = descriptor_pb2.FieldDescriptorProto


def malformed() -> InvalidInput:
    """Returns the error for bytes that are not a message of the method."""
    return InvalidInput(MALFORMED, "the request could not be decoded as a message of this method")


def model_of(content: bytes) -> pb.ModelReference:
    """Returns the model that an ExplainRequest or a ScoreRequest names. Raises InvalidInput."""
    try:
        reference: pb.ModelReference = _RequestHead.FromString(content).model
    except DecodeError:
        raise malformed() from None
    return reference


def split_item(content: bytes) -> tuple[bytes, pb.ExplainStreamRequest]:
    """Returns the bytes of the request in an ExplainStreamRequest, and the message without it. Raises InvalidInput."""
    try:
        head = _ItemHead.FromString(content)
    except DecodeError:
        raise malformed() from None
    item = pb.ExplainStreamRequest()
    if head.HasField("timeout"):
        item.timeout.CopyFrom(head.timeout)
    return head.request, item


def explain_response(explanation: bytes) -> bytes:
    """Returns an ExplainResponse with an explanation that is encoded already."""
    content: bytes = _ResponseHead(explanation=explanation).SerializeToString()
    return content


def item_response(explanation: bytes) -> bytes:
    """Returns an ExplainStreamResponse, without its index, with an explanation that is encoded already."""
    content: bytes = _ItemResponseHead(explanation=explanation).SerializeToString()
    return content


def _field(name: str, number: int, kind: Any, type_name: str = "") -> descriptor_pb2.FieldDescriptorProto:
    label = _Field.LABEL_OPTIONAL
    return _Field(name=name, number=number, type=kind, label=label, type_name=type_name or None)


def _heads() -> list[Any]:
    file = descriptor_pb2.FileDescriptorProto(
        name="sequela/heads.proto",
        package=PACKAGE,
        syntax="proto3",
        dependency=[pb.DESCRIPTOR.name, duration_pb2.DESCRIPTOR.name],
    )
    message = _Field.TYPE_MESSAGE
    file.message_type.add(
        name="RequestHead", field=[_field("model", 1, message, ".sequela.v1.ModelReference")]
    )
    file.message_type.add(
        name="ItemHead",
        field=[
            _field("request", 1, _Field.TYPE_BYTES),
            _field("timeout", 2, message, ".google.protobuf.Duration"),
        ],
    )
    # Messages and bytes are alike on the wire.
    for name, whole in (("ResponseHead", pb.ExplainResponse), ("ItemResponseHead", pb.ExplainStreamResponse)):
        number = whole.EXPLANATION_FIELD_NUMBER
        file.message_type.add(name=name, field=[_field("explanation", number, _Field.TYPE_BYTES)])
    pool = Default()
    pool.Add(file)
    find = pool.FindMessageTypeByName
    names = ("RequestHead", "ItemHead", "ResponseHead", "ItemResponseHead")
    return [message_factory.GetMessageClass(find(f"{PACKAGE}.{name}")) for name in names]


_RequestHead, _ItemHead, _ResponseHead, _ItemResponseHead = _heads()
