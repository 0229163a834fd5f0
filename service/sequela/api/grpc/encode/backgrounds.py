"""Backgrounds as the caller reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sequela_proto.v1 import sequela_pb2 as pb

from sequela.api.grpc.encode.common import timestamp
from sequela.explain.background import Background, StoredBackground

DTYPES: Mapping[str, pb.DataType.ValueType] = {
    "float32": pb.DATA_TYPE_FLOAT32,
    "float64": pb.DATA_TYPE_FLOAT64,
    "int32": pb.DATA_TYPE_INT32,
    "int64": pb.DATA_TYPE_INT64,
    "bool": pb.DATA_TYPE_BOOL,
}


def line(stored: StoredBackground) -> pb.Background:
    """A background without its values."""
    return pb.Background(
        name=stored.name,
        digest=stored.background.digest,
        create_time=timestamp(stored.create_time),
        rows=stored.background.length,
        sequences=stored.sequences,
        averaged_events=stored.averaged_events,
    )


def whole(stored: StoredBackground) -> pb.Background:
    """A background with its values, in a form that creates it again."""
    message = line(stored)
    message.values.CopyFrom(_values(stored.background))
    return message


def _values(background: Background) -> pb.BackgroundValues:
    if _is_average_event(background):
        return pb.BackgroundValues(inputs=_tensors({**background.mean_event, **background.static}))
    return pb.BackgroundValues(
        inputs=_tensors({**background.rows, **background.static}), mean_event=_tensors(background.mean_event)
    )


def _is_average_event(background: Background) -> bool:
    return background.length == 1 and all(
        np.array_equal(rows[0], background.mean_event[name]) for name, rows in background.rows.items()
    )


def _tensors(arrays: Mapping[str, NDArray[Any]]) -> Iterator[pb.InputTensor]:
    for name, array in arrays.items():
        little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        tensor = pb.Tensor(dtype=DTYPES[array.dtype.name], shape=array.shape, raw=little.tobytes())
        yield pb.InputTensor(name=name, tensor=tensor)
