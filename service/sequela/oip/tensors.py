"""Converts arrays to the elements of a tensor, typed or raw, and back."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sequela_proto.inference import open_inference_pb2 as pb

from sequela.oip.datatypes import BYTES, DATATYPES, Datatype, datatype_of
from sequela.oip.invalid_tensor import InvalidTensor

Array = NDArray[Any]

LENGTH_BYTES = 4
"""Bytes of the little-endian length that precedes each string in raw contents."""
FIELD_TYPES = {"int_contents": np.dtype("<i4"), "uint_contents": np.dtype("<u4")}
"""Fields that hold several datatypes, and the type of their elements."""
MAX_AXIS = 2**63 - 1
"""The largest size of an axis that a message can hold. JSON has no such limit."""
MAX_AXES = 32
"""The largest number of axes. numpy supports 64, and models have fewer than ten."""


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """A tensor with a name. The batch is the first axis.

    Attributes:
        name: The name of the model's input or output.
        datatype: The protocol's name of the elements' type, `BYTES` for strings.
        values: An array of any shape; for `BYTES`, the strings of a tensor with one axis.
    """

    name: str
    datatype: str
    values: Array | Sequence[bytes]

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of all axes."""
        return self.values.shape if isinstance(self.values, np.ndarray) else (len(self.values),)


def named_tensors(arrays: Mapping[str, Array]) -> Iterator[Tensor]:
    """Yields a tensor for each named array of numbers, in the array's datatype."""
    for name, values in arrays.items():
        yield Tensor(name, datatype_of(values.dtype).name, values)


def raw_contents(tensor: Tensor) -> bytes:
    """Returns the elements in row-major order, little-endian. Strings are preceded by their length."""
    if isinstance(tensor.values, np.ndarray):
        # The array may be big-endian, or a view in another order of axes.
        return tensor.values.astype(DATATYPES[tensor.datatype].dtype, copy=False).tobytes()
    return b"".join(len(each).to_bytes(LENGTH_BYTES, "little") + each for each in tensor.values)


def typed_contents(tensor: Tensor) -> pb.InferTensorContents:
    """Returns the elements in row-major order, in the field of their datatype. Raises ValueError for FP16."""
    if not isinstance(tensor.values, np.ndarray):
        return pb.InferTensorContents(bytes_contents=tensor.values)
    field = DATATYPES[tensor.datatype].contents_field
    if field is None:
        raise ValueError(f"{tensor.datatype} has no typed contents")
    contents = pb.InferTensorContents()
    getattr(contents, field).extend(tensor.values.ravel().tolist())
    return contents


def array_from_raw(raw: bytes, datatype: Datatype) -> Array:
    """Reads the elements (size,) of raw contents, read-only. Raises InvalidTensor: TENSOR_SIZE, TENSOR_VALUE."""
    size = datatype.dtype.itemsize
    if len(raw) % size:
        text = f"has {len(raw)} bytes, which are not a whole number of {datatype.name} elements of {size}"
        raise InvalidTensor("", "TENSOR_SIZE", text)
    if datatype.dtype.kind == "b" and raw and max(raw) > 1:
        raise InvalidTensor("", "TENSOR_VALUE", "has bytes other than 0 and 1, which are not of BOOL")
    return np.frombuffer(raw, datatype.dtype)


def array_from_typed(contents: pb.InferTensorContents, datatype: Datatype) -> Array:
    """Reads the elements (size,) of typed contents. Other fields are ignored.

    Raises InvalidTensor: TENSOR_ELEMENTS for FP16, TENSOR_VALUE if a number is too large for its datatype.
    """
    if datatype.contents_field is None:
        text = f"holds {datatype.name}, which has no typed contents; send raw contents"
        raise InvalidTensor("contents", "TENSOR_ELEMENTS", text)
    given = getattr(contents, datatype.contents_field)
    # Elements of 8 and 16 bits are sent in 32-bit fields, which may contain larger values.
    wide = np.array(given, FIELD_TYPES.get(datatype.contents_field, datatype.dtype))
    if datatype.dtype.kind in "iu":
        check_integers(wide, datatype, "contents")
    return wide.astype(datatype.dtype, copy=False)


def check_integers(elements: Array, datatype: Datatype, field: str) -> None:
    """Raises InvalidTensor (TENSOR_VALUE), with this field, if one of the integers (size,) does not fit a datatype."""
    low, high = np.iinfo(datatype.dtype).min, np.iinfo(datatype.dtype).max
    # If any integer is out of range, the smallest or the largest one is.
    for index in {int(elements.argmin()), int(elements.argmax())} if elements.size else ():
        value = int(elements[index])
        if not low <= value <= high:
            text = f"must hold numbers from {low} to {high} ({datatype.name}), not {value} at [{index}]"
            raise InvalidTensor(field, "TENSOR_VALUE", text)


def check_only_contents(contents: pb.InferTensorContents, datatype: Datatype) -> None:
    """Raises InvalidTensor (TENSOR_ELEMENTS) unless the datatype's field is set, and no other."""
    # If two fields are set, or the wrong one, it is not clear which elements the caller means.
    filled = [field.name for field, _ in contents.ListFields()]
    if filled != [datatype.contents_field]:
        wanted = datatype.contents_field or "raw contents"
        text = f"has {' and '.join(filled) or 'no elements'}; {datatype.name} takes {wanted} and nothing else"
        raise InvalidTensor("contents", "TENSOR_ELEMENTS", text)


def check_shape(shape: Sequence[int]) -> None:
    """Raises InvalidTensor (TENSOR_SHAPE) unless there is an axis, and all have a size of at least 1."""
    if not shape or not all(1 <= size <= MAX_AXIS for size in shape):
        text = f"is {format_shape(shape)}; the first axis is the batch, and every size must be at least 1"
        raise InvalidTensor("shape", "TENSOR_SHAPE", text)


def reshape_elements(elements: Array, shape: Sequence[int]) -> Array:
    """Reshapes elements (size,).

    Raises InvalidTensor: TENSOR_SIZE if their number does not fit, TENSOR_SHAPE for more axes than `MAX_AXES`.
    """
    if len(shape) > MAX_AXES:
        text = f"has {len(shape)} axes, but the limit is {MAX_AXES}"
        raise InvalidTensor("shape", "TENSOR_SHAPE", text)
    # Sizes are untrusted: math.prod cannot overflow, and two negative sizes must not have a product that fits.
    if any(size < 0 for size in shape) or math.prod(shape) != len(elements):
        text = f"has {len(elements)} values, which do not fill the shape {format_shape(shape)}"
        raise InvalidTensor("", "TENSOR_SIZE", text)
    return elements.reshape(tuple(shape))


def accepted_datatype(name: str, datatypes: Mapping[str, Datatype]) -> Datatype:
    """Returns one of these datatypes by its name. Raises InvalidTensor (TENSOR_DTYPE)."""
    if name not in datatypes:
        text = f"must be one of {', '.join(datatypes)}, not {name[:20]!r}"
        raise InvalidTensor("datatype", "TENSOR_DTYPE", text)
    return datatypes[name]


def known_datatype(name: str) -> Datatype:
    """Returns a datatype of numbers by its name. Raises InvalidTensor (TENSOR_DTYPE) for strings and unknown names."""
    if name not in DATATYPES:
        text = f"holds {name if name == BYTES else repr(name[:20])}, not numbers"
        raise InvalidTensor("datatype", "TENSOR_DTYPE", text)
    return DATATYPES[name]


def format_shape(shape: Sequence[int]) -> str:
    """Formats a shape for messages: `(2, 3)`."""
    return "(" + ", ".join(map(str, shape)) + ")"
