"""The table of datatypes, against the protocol's specification and numpy."""

from __future__ import annotations

import numpy as np
import pytest
from sequela.explain.schema import Dtype
from sequela.oip.datatypes import DATATYPES, SCHEMA_DATATYPES, datatype_of, schema_datatype
from sequela_proto.inference import open_inference_pb2 as pb

SIZES = {
    "BOOL": 1,
    **{f"{sign}INT{bits}": bits // 8 for sign in ("", "U") for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": bits // 8 for bits in (16, 32, 64)},
}
"""Bytes of an element, as the specification's table has them."""


def test_every_datatype_of_numbers() -> None:
    """Each has the size that the specification gives it, and a kind of numpy's that its name tells."""
    assert {name: item.dtype.itemsize for name, item in DATATYPES.items()} == SIZES
    kinds = {"BOOL": "b", "INT": "i", "UINT": "u", "FP": "f"}
    assert {name: item.dtype.kind for name, item in DATATYPES.items()} == {
        name: kinds[name.rstrip("0123456789")] for name in SIZES
    }


def test_fields_of_typed_contents() -> None:
    """Every field of the message but that of strings holds a datatype; only FP16 has none."""
    fields = {field.name for field in pb.InferTensorContents.DESCRIPTOR.fields}
    used = {item.contents_field for item in DATATYPES.values()}
    assert used == (fields - {"bytes_contents"}) | {None}
    assert [item.name for item in DATATYPES.values() if item.contents_field is None] == ["FP16"]


@pytest.mark.parametrize("name", SIZES)
def test_arrays_in_any_byte_order(name: str) -> None:
    """An array's datatype does not depend on its byte order."""
    dtype = DATATYPES[name].dtype
    for order in "<>=":
        assert datatype_of(dtype.newbyteorder(order)).name == name
    with pytest.raises(KeyError):
        datatype_of(np.dtype("complex64"))


def test_datatypes_of_schemas() -> None:
    """Each element type of a schema is one datatype; an input of another datatype has a type that holds its values."""
    assert {dtype: schema_datatype(dtype).name for dtype in Dtype} == {
        Dtype.FLOAT32: "FP32",
        Dtype.FLOAT64: "FP64",
        Dtype.INT32: "INT32",
        Dtype.INT64: "INT64",
        Dtype.BOOL: "BOOL",
    }
    assert set(SCHEMA_DATATYPES) == {"FP32", "FP64", "INT32", "INT64", "BOOL"}
    for name, item in DATATYPES.items():
        safe = np.can_cast(item.dtype, np.dtype(item.input_dtype.value), "safe")
        assert safe == (name != "UINT64")
