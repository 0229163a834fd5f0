"""The parts of an explanation that a store keeps, as bytes: its content, its sequence, and single levels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from google.protobuf.message import DecodeError
from sequela_proto.v1 import sequela_pb2 as pb

from sequela.contract.common import input_tensor
from sequela.contract.enums import DTYPES
from sequela.contract.explanation_reader import read_explanation, read_infos, read_level
from sequela.contract.explanations import info_fields
from sequela.contract.levels import level_fields
from sequela.explain.explanation import Explanation, LevelExplanation
from sequela.explain.kept_explanation import KeptSequence
from sequela.explain.request import NamedArray

Part = TypeVar("Part")


class PartUnreadable(ValueError):
    """Bytes are not those of such a part, or name something that this release does not know."""


def read_content(content: bytes) -> Explanation:
    """Returns an explanation without what belongs to its request. Raises PartUnreadable."""
    return _read(lambda: read_explanation(pb.Explanation.FromString(content)))


def sequence_bytes(sequence: KeptSequence) -> bytes:
    """Encodes a sequence, whose arrays have element types of the contract."""
    inputs = (input_tensor(each.name, each.array, each.columns) for each in sequence.inputs)
    events = (pb.EventInfo(**info_fields(each)) for each in sequence.events)
    return pb.Sequence(inputs=inputs, events=events).SerializeToString()


def read_sequence(content: bytes) -> KeptSequence:
    """Returns a sequence, with read-only arrays that are equal bit for bit. Raises PartUnreadable."""

    def read() -> KeptSequence:
        message = pb.Sequence.FromString(content)
        return KeptSequence(tuple(map(_read_input, message.inputs)), read_infos(message.events))

    return _read(read)


def level_bytes(level: LevelExplanation) -> bytes:
    """Encodes one level."""
    return pb.LevelExplanation(**level_fields(level)).SerializeToString()


def read_level_bytes(content: bytes) -> LevelExplanation:
    """Returns one level. Raises PartUnreadable."""
    return _read(lambda: read_level(pb.LevelExplanation.FromString(content)))


def _read_input(message: Any) -> NamedArray:
    dtype = np.dtype(DTYPES.members[message.tensor.dtype].value).newbyteorder("<")
    array = np.frombuffer(message.tensor.raw, dtype).reshape(tuple(message.tensor.shape))
    return NamedArray(message.name, array, tuple(message.columns))


def _read(read: Callable[[], Part]) -> Part:
    try:
        return read()
    except (DecodeError, KeyError, ValueError, OverflowError) as error:
        raise PartUnreadable(str(error)) from error
