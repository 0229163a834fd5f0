"""The table of element types against numpy and onnx themselves."""

import numpy as np
import pytest
from onnx import TensorProto, helper
from sequela.adapters.model_io.signature import Content
from sequela.adapters.onnx.element_types import ELEMENT_TYPES, element_name, is_float

NAMED = pytest.mark.parametrize("element", ELEMENT_TYPES, ids=map(element_name, ELEMENT_TYPES))


@NAMED
def test_a_type_has_numpys_name_or_is_cast(element: int) -> None:
    """onnx's own mapping agrees; what needs a cast is a float that numpy has only through an extension."""
    kind, expected = ELEMENT_TYPES[element], helper.tensor_dtype_to_np_dtype(element)
    if kind.needs_cast:
        assert expected.type.__module__ == "ml_dtypes"
        bits = np.arange(2 ** (8 * expected.itemsize), dtype=f"u{expected.itemsize}")
        given = bits.view(expected).astype(np.float32)
        finite = np.isfinite(given)
        np.testing.assert_array_equal(given[finite].astype(expected).astype(np.float32), given[finite])
    else:
        assert np.dtype(kind.numpy) == expected


@NAMED
def test_content_and_schema_type_follow_from_numpys_kind(element: int) -> None:
    """Floats are floats; a schema's type holds all values of the type that it stands for, but for uint64's largest."""
    kind, numpy_type = ELEMENT_TYPES[element], helper.tensor_dtype_to_np_dtype(element)
    assert is_float(element) == (numpy_type.kind not in "iub")
    assert (kind.content is Content.FLOATS) == is_float(element)
    assert (kind.dtype is None) == kind.needs_cast
    if kind.dtype is not None and element != TensorProto.UINT64:
        assert np.can_cast(numpy_type, np.dtype(kind.dtype.value))
        assert kind.dtype.is_float == is_float(element)
