"""numpy arrays to the contract's tensors and back. Elements travel as little-endian bytes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sequela_proto.v1 import sequela_pb2 as pb

from sequela_client.errors import CallerError
from sequela_client.inputs import Values, by_name

_DTYPES: dict[int, np.dtype[Any]] = {
    pb.DATA_TYPE_FLOAT32: np.dtype("<f4"),
    pb.DATA_TYPE_FLOAT64: np.dtype("<f8"),
    pb.DATA_TYPE_INT32: np.dtype("<i4"),
    pb.DATA_TYPE_INT64: np.dtype("<i8"),
    pb.DATA_TYPE_BOOL: np.dtype("?"),
}
_CODES: dict[np.dtype[Any], Any] = {dtype: code for code, dtype in _DTYPES.items()}


def input_tensors(values: Values) -> list[pb.InputTensor]:
    """One message for each input. Raises CallerError for what is not an array of numbers."""
    return [pb.InputTensor(name=name, tensor=_tensor(name, array)) for name, array in by_name(values).items()]


def arrays(inputs: Iterable[pb.InputTensor]) -> dict[str, NDArray[Any]]:
    """Arrays by input name, from what the server sent."""
    return {item.name: _array(item.tensor) for item in inputs}


def _array(tensor: pb.Tensor) -> NDArray[Any]:
    plain = list(tensor.numbers) or list(tensor.integers)
    dtype = _DTYPES.get(tensor.dtype, np.dtype("<i8") if tensor.integers else np.dtype("<f8"))
    flat = np.asarray(plain, dtype) if plain else np.frombuffer(tensor.raw, dtype)
    return flat.reshape(tuple(tensor.shape))


def _tensor(name: str, values: ArrayLike) -> pb.Tensor:
    array = _numbers(name, values)
    return pb.Tensor(dtype=_CODES[array.dtype], shape=array.shape, raw=array.tobytes())


def _numbers(name: str, values: ArrayLike) -> NDArray[Any]:
    """The values in one of the contract's types; types it lacks go to the next wider one."""
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise CallerError(
            f"{name or 'the sequence'}: not an array: {error}", reason="NOT_AN_ARRAY"
        ) from error
    dtype = array.dtype.newbyteorder("<")
    if dtype in _CODES:
        return array.astype(dtype, copy=False)
    for wider in (np.dtype("<i8"), np.dtype("<f4")):
        if np.can_cast(dtype, wider):
            return array.astype(wider)
    raise CallerError(
        f"{name or 'the sequence'}: an array of {array.dtype} holds no numbers that a model takes",
        reason="NOT_AN_ARRAY",
    )
