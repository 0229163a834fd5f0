"""The protocol's datatypes, and their names in numpy, messages and schemas.

Source: the protocol's specification, version 2 ("Tensor Data Types").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sequela.explain.schema import Dtype

BYTES = "BYTES"
"""The datatype of strings. It is not in `DATATYPES`, which hold numbers."""


@dataclass(frozen=True, slots=True)
class Datatype:
    """A datatype of numbers or booleans.

    Attributes:
        name: The protocol's name, such as `FP32`.
        dtype: Numpy's name for the same elements, little-endian, as raw contents hold them.
        contents_field: The field of `InferTensorContents` that holds typed elements. None for FP16, which the protocol
            sends as raw bytes only.
        input_dtype: The type that a schema gives to a model's input of this datatype. Where it is not `dtype` itself,
            values are cast before they are sent.
    """

    name: str
    dtype: np.dtype[Any]
    contents_field: str | None
    input_dtype: Dtype

    @property
    def is_float(self) -> bool:
        """Whether elements are floating-point numbers."""
        return self.dtype.kind == "f"


_ALL = (
    Datatype("BOOL", np.dtype("?"), "bool_contents", Dtype.BOOL),
    Datatype("INT8", np.dtype("i1"), "int_contents", Dtype.INT32),
    Datatype("INT16", np.dtype("<i2"), "int_contents", Dtype.INT32),
    Datatype("INT32", np.dtype("<i4"), "int_contents", Dtype.INT32),
    Datatype("INT64", np.dtype("<i8"), "int64_contents", Dtype.INT64),
    Datatype("UINT8", np.dtype("u1"), "uint_contents", Dtype.INT32),
    Datatype("UINT16", np.dtype("<u2"), "uint_contents", Dtype.INT32),
    Datatype("UINT32", np.dtype("<u4"), "uint_contents", Dtype.INT64),
    # Values above 2^63 - 1 do not fit the input's type. Ids as large as that do not occur in practice.
    Datatype("UINT64", np.dtype("<u8"), "uint64_contents", Dtype.INT64),
    Datatype("FP16", np.dtype("<f2"), None, Dtype.FLOAT32),
    Datatype("FP32", np.dtype("<f4"), "fp32_contents", Dtype.FLOAT32),
    Datatype("FP64", np.dtype("<f8"), "fp64_contents", Dtype.FLOAT64),
)

DATATYPES: Mapping[str, Datatype] = {item.name: item for item in _ALL}
"""Every datatype of numbers or booleans, by its name in the protocol."""

SCHEMA_DATATYPES: Mapping[str, Datatype] = {
    item.name: item for item in _ALL if item.dtype.name == item.input_dtype.value
}
"""The datatypes that schemas have as well: BOOL, INT32, INT64, FP32 and FP64."""

_BY_NUMPY_NAME: Mapping[str, Datatype] = {item.dtype.name: item for item in _ALL}


def datatype_of(dtype: np.dtype[Any]) -> Datatype:
    """Returns the datatype of an array's elements, in any byte order.

    Raises KeyError for elements that are not numbers.
    """
    return _BY_NUMPY_NAME[dtype.name]


def schema_datatype(dtype: Dtype) -> Datatype:
    """Returns the datatype of a schema's element type."""
    return _BY_NUMPY_NAME[dtype.value]
