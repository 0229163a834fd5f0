"""Encodes times, costs, features and warnings, which occur in several messages.

Functions that return `Fields` return the arguments of a message's constructor. protobuf builds nested messages from
them in less than half the time that it takes to copy messages made before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, TypeAlias, TypeVar

import numpy as np
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from numpy.typing import NDArray
from sequela_proto.v1 import sequela_pb2 as pb

from sequela.contract.enums import DTYPES
from sequela.explain.explanation import Cost, ExplanationWarning, Feature
from sequela.explain.schema import Dtype

Item = TypeVar("Item")
Message = TypeVar("Message")
Fields: TypeAlias = dict[str, Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS_PER_DAY = 86_400


def optional(encode: Callable[[Item], Message], item: Item | None) -> Message | None:
    """Encodes an item. None stays None, which leaves the field unset."""
    return None if item is None else encode(item)


def duration(seconds: float) -> Duration:
    """Encodes seconds, to the nanosecond."""
    message = Duration()
    message.FromNanoseconds(round(seconds * 1e9))
    return message


def timestamp(time: datetime) -> Timestamp:
    """Encodes a time that has a time zone."""
    return Timestamp(**timestamp_fields(time))


def timestamp_fields(time: datetime) -> Fields:
    """Encodes a time that has a time zone."""
    # `Timestamp.FromDatetime` goes by way of the calendar, which takes five times as long.
    since = time - _EPOCH
    return {"seconds": since.days * _SECONDS_PER_DAY + since.seconds, "nanos": since.microseconds * 1000}


def input_tensor(name: str, array: NDArray[Any], columns: Iterable[str] = ()) -> pb.InputTensor:
    """Encodes the values of one input."""
    # The contract defines raw tensors as little-endian.
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    dtype = DTYPES.number(Dtype(array.dtype.name))
    return pb.InputTensor(
        name=name, tensor=pb.Tensor(dtype=dtype, shape=array.shape, raw=little.tobytes()), columns=columns
    )


def cost(item: Cost) -> pb.Cost:
    """Encodes the cost of an answer."""
    return pb.Cost(
        model_rows=item.model_rows,
        model_calls=item.model_calls,
        model_events=item.model_events,
        stage_times={stage: duration(seconds) for stage, seconds in (item.stage_seconds or {}).items()},
        cached=item.cached,
        endpoint_rows=item.endpoint_rows,
        endpoint_calls=item.endpoint_calls,
    )


def feature(item: Feature) -> pb.Feature:
    """Encodes a feature."""
    return pb.Feature(
        name=item.name, label=item.label, unit=item.unit, description=item.description, static=item.static
    )


def warning(item: ExplanationWarning) -> pb.Warning:
    """Encodes a warning."""
    return pb.Warning(reason=item.reason, message=item.message)
