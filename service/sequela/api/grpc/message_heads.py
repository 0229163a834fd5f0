"""Reads the first fields of a request, so that the rest can be passed on without parsing it, and writes explanations
that are encoded already into responses.

The messages here have the field numbers of `sequela.v1` for what this process has to know, and treat all else as
unknown fields.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from google.protobuf import descriptor_pb2, duration_pb2, message_factory
from google.protobuf.descriptor_pool import Default
from google.protobuf.message import DecodeError
from sequela_proto.v1 import sequela_pb2 as pb

from sequela.api.admission.priority import Priority
from sequela.api.admission.request_shape import ExplainShape, ScoreShape, sequence_size
from sequela.api.priority_table import PRIORITIES
from sequela.errors import InvalidInput
from sequela.explain.options import Level

PACKAGE = "sequela.heads"
MALFORMED = "MESSAGE_MALFORMED"
_Field = descriptor_pb2.FieldDescriptorProto


def malformed() -> InvalidInput:
    """Returns the error for bytes that are not a message of the method."""
    return InvalidInput(MALFORMED, "the request could not be decoded as a message of this method")


@dataclass(frozen=True, slots=True, eq=False)
class ExplainHead:
    """What the server has to know of an ExplainRequest: its model, its size, and its priority, if it has one."""

    model: pb.ModelReference
    shape: ExplainShape
    priority: Priority | None


@dataclass(frozen=True, slots=True, eq=False)
class ScoreHead:
    """What the server has to know of a ScoreRequest."""

    model: pb.ModelReference
    shape: ScoreShape


def explain_head(content: bytes) -> ExplainHead:
    """Returns the head of an ExplainRequest, of which only the form is checked. Raises InvalidInput."""
    head = _parsed(_ExplainHead, content)
    options = head.options
    events, columns = _size(head.sequence, len(content))
    shape = ExplainShape(
        events,
        columns,
        len(set(options.levels)) or len(Level),
        max(options.max_coalitions, 1) if options.HasField("max_coalitions") else None,
        options.target_standard_error if options.HasField("target_standard_error") else None,
    )
    return ExplainHead(head.model, shape, PRIORITIES.members.get(head.priority))


def score_head(content: bytes) -> ScoreHead:
    """Returns the head of a ScoreRequest, of which only the form is checked. Raises InvalidInput."""
    head = _parsed(_ScoreHead, content)
    sizes = (_size(each, len(content)) for each in head.sequences)
    return ScoreHead(head.model, ScoreShape(sum(events * columns for events, columns in sizes)))


def split_item(content: bytes) -> tuple[bytes, pb.ExplainStreamRequest]:
    """Returns the bytes of the request in an ExplainStreamRequest, and the message without it. Raises InvalidInput."""
    head = _parsed(_ItemHead, content)
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


def _parsed(kind: Any, content: bytes) -> Any:
    try:
        return kind.FromString(content)
    except DecodeError:
        raise malformed() from None


def _size(sequence: Any, size: int) -> tuple[int, int]:
    """Returns the number of events and of columns. A message of `size` bytes has no more values than bytes."""
    events, columns = sequence_size(each.tensor.shape for each in sequence.inputs if each.tensor.shape)
    columns = min(columns, max(size, 1))
    return min(events, max(size // columns, 1)), columns


def _field(name: str, number: int, kind: Any, type_name: str = "", repeated: bool = False) -> Any:
    label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
    return _Field(name=name, number=number, type=kind, label=label, type_name=type_name or None)


def _heads() -> tuple[Any, ...]:
    file = descriptor_pb2.FileDescriptorProto(
        name="sequela/heads.proto",
        package=PACKAGE,
        syntax="proto3",
        dependency=[pb.DESCRIPTOR.name, duration_pb2.DESCRIPTOR.name],
    )
    message, own = _Field.TYPE_MESSAGE, f".{PACKAGE}."
    model = _field("model", 1, message, ".sequela.v1.ModelReference")
    messages = {
        # Of a sequence only the shapes are read; its values stay bytes.
        "TensorHead": [_field("shape", 2, _Field.TYPE_INT64, repeated=True)],
        "InputHead": [_field("tensor", 2, message, f"{own}TensorHead")],
        "SequenceHead": [_field("inputs", 1, message, f"{own}InputHead", repeated=True)],
        "ExplainHead": [
            model,
            _field("sequence", 3, message, f"{own}SequenceHead"),
            _field("options", 4, message, ".sequela.v1.ExplainOptions"),
            _field("priority", 8, _Field.TYPE_INT32),
        ],
        "ScoreHead": [model, _field("sequences", 2, message, f"{own}SequenceHead", repeated=True)],
        "ItemHead": [
            _field("request", 1, _Field.TYPE_BYTES),
            _field("timeout", 2, message, ".google.protobuf.Duration"),
        ],
    }
    for name, fields in messages.items():
        file.message_type.add(name=name, field=fields)
    # Messages and bytes are alike on the wire.
    for name, whole in (("ResponseHead", pb.ExplainResponse), ("ItemResponseHead", pb.ExplainStreamResponse)):
        number = whole.EXPLANATION_FIELD_NUMBER
        file.message_type.add(name=name, field=[_field("explanation", number, _Field.TYPE_BYTES)])
    pool = Default()
    pool.Add(file)
    find = pool.FindMessageTypeByName
    names = ("ExplainHead", "ScoreHead", "ItemHead", "ResponseHead", "ItemResponseHead")
    return tuple(message_factory.GetMessageClass(find(f"{PACKAGE}.{name}")) for name in names)


_ExplainHead, _ScoreHead, _ItemHead, _ResponseHead, _ItemResponseHead = _heads()
