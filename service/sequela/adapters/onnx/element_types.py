"""The element types of ONNX tensors: one table of what each means as an input, as an output and for comparisons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from onnx import TensorProto

from sequela.adapters.model_io.signature import Content
from sequela.explain.schema import Dtype

FLOAT_TOLERANCE = 1e-5
"""How much a row's outputs may differ between batches, as a share of the row's largest output. Float32 rounding is far
smaller: the models of the tests stay below 1e-7.
"""
FLOAT16_TOLERANCE = 4e-3
BFLOAT16_TOLERANCE = 3e-2
"""The same for models that compute in 16 bits: a few units in the last place of each type."""


@dataclass(frozen=True, slots=True)
class ElementType:
    """How the server treats one element type.

    Attributes:
        dtype: How schemas name an input of this type; values are cast on their way in, and one that the smaller type
            does not hold is refused. None: inputs of this type are not supported.
        numpy: The name of numpy's type; empty where numpy has none.
        content: What an output of this type holds.
        tolerance: The rounding noise of a model that computes in it, as a share of a row's largest output.
    """

    dtype: Dtype | None
    numpy: str
    content: Content
    tolerance: float = FLOAT_TOLERANCE

    @property
    def needs_cast(self) -> bool:
        """Whether numpy lacks the type, so that outputs are cast to float32, which holds each of its numbers."""
        return not self.numpy


ELEMENT_TYPES: Mapping[int, ElementType] = {
    TensorProto.FLOAT: ElementType(Dtype.FLOAT32, "float32", Content.FLOATS),
    TensorProto.DOUBLE: ElementType(Dtype.FLOAT64, "float64", Content.FLOATS),
    TensorProto.FLOAT16: ElementType(Dtype.FLOAT32, "float16", Content.FLOATS, FLOAT16_TOLERANCE),
    # numpy has none of the next five types. Outputs of these types are cast to float32.
    TensorProto.BFLOAT16: ElementType(None, "", Content.FLOATS, BFLOAT16_TOLERANCE),
    TensorProto.FLOAT8E4M3FN: ElementType(None, "", Content.FLOATS),
    TensorProto.FLOAT8E4M3FNUZ: ElementType(None, "", Content.FLOATS),
    TensorProto.FLOAT8E5M2: ElementType(None, "", Content.FLOATS),
    TensorProto.FLOAT8E5M2FNUZ: ElementType(None, "", Content.FLOATS),
    TensorProto.INT8: ElementType(Dtype.INT32, "int8", Content.WHOLE_NUMBERS),
    TensorProto.INT16: ElementType(Dtype.INT32, "int16", Content.WHOLE_NUMBERS),
    TensorProto.INT32: ElementType(Dtype.INT32, "int32", Content.WHOLE_NUMBERS),
    TensorProto.INT64: ElementType(Dtype.INT64, "int64", Content.WHOLE_NUMBERS),
    # Schemas have no unsigned types. Callers send signed integers, and values that the model's own type cannot hold are
    # refused.
    TensorProto.UINT8: ElementType(Dtype.INT32, "uint8", Content.WHOLE_NUMBERS),
    TensorProto.UINT16: ElementType(Dtype.INT32, "uint16", Content.WHOLE_NUMBERS),
    TensorProto.UINT32: ElementType(Dtype.INT64, "uint32", Content.WHOLE_NUMBERS),
    TensorProto.UINT64: ElementType(Dtype.INT64, "uint64", Content.WHOLE_NUMBERS),
    TensorProto.BOOL: ElementType(Dtype.BOOL, "bool", Content.WHOLE_NUMBERS),
}
"""Every type that holds numbers. Types that are not in it (strings, complex numbers, 4-bit numbers) are refused."""


def element_name(element: int) -> str:
    """Returns the name of an element type as ONNX spells it, in lower case: `float`, `int64`.

    A number that the installed onnx does not know, which a file may hold, is named as such.
    """
    known = element in TensorProto.DataType.values()
    return TensorProto.DataType.Name(element).lower() if known else f"number {element}, which is unknown"


def is_float(element: int) -> bool:
    """Returns whether tensors of this type hold fractions."""
    return element in ELEMENT_TYPES and ELEMENT_TYPES[element].content is Content.FLOATS
