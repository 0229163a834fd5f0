"""Converts numpy arrays to the contract's tensors and back. Elements are sent as little-endian bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sequela_proto.v1 import sequela_pb2 as pb

from sequela_client.tables import Table

_DTYPES: dict[int, np.dtype[Any]] = {
    pb.DATA_TYPE_FLOAT32: np.dtype("<f4"),
    pb.DATA_TYPE_FLOAT64: np.dtype("<f8"),
    pb.DATA_TYPE_INT32: np.dtype("<i4"),
    pb.DATA_TYPE_INT64: np.dtype("<i8"),
    pb.DATA_TYPE_BOOL: np.dtype("?"),
}
_CODES: dict[np.dtype[Any], Any] = {dtype: code for code, dtype in _DTYPES.items()}


def input_tensors(tables: Mapping[str, Table]) -> list[pb.InputTensor]:
    """Converts tables to one message for each input."""
    return [
        pb.InputTensor(name=name, tensor=_tensor(table.values), columns=table.columns)
        for name, table in tables.items()
    ]


def arrays(inputs: Iterable[pb.InputTensor]) -> dict[str, NDArray[Any]]:
    """Converts messages to arrays by input name."""
    return {item.name: _array(item.tensor) for item in inputs}


def _array(tensor: pb.Tensor) -> NDArray[Any]:
    plain = list(tensor.numbers) or list(tensor.integers)
    dtype = _DTYPES.get(tensor.dtype, np.dtype("<i8") if tensor.integers else np.dtype("<f8"))
    flat = np.asarray(plain, dtype) if plain else np.frombuffer(tensor.raw, dtype)
    return flat.reshape(tuple(tensor.shape))


def _tensor(array: NDArray[Any]) -> pb.Tensor:
    return pb.Tensor(dtype=_CODES[array.dtype], shape=array.shape, raw=array.tobytes())
