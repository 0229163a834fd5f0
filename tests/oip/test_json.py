"""Numbers and tensors in JSON, against Python's own numbers."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oip.values import Array, arrays
from sequela.oip.datatypes import DATATYPES
from sequela.oip.invalid_tensor import InvalidTensor
from sequela.oip.json_numbers import json_array, json_elements
from sequela.oip.json_tensors import json_tensor, read_json_tensor
from sequela.oip.tensors import Tensor

NUMBERS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats()


@given(st.lists(st.lists(NUMBERS, min_size=2, max_size=2), min_size=1))
def test_arrays(rows: list[list[Any]]) -> None:
    """All that are numbers come out as Python has them, null as NaN."""
    wanted = [[np.nan if value is None else float(value) for value in row] for row in rows]
    np.testing.assert_array_equal(json_array(rows).astype(np.float64), np.array(wanted, np.float64))


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([True, False], "b"),
        ([1, True], "i"),
        ([2**63], "u"),
        ([1, 2.5], "f"),
        ([1, None], "f"),
        (3, "i"),
        ([], "f"),
    ],
)
def test_kinds(values: Any, kind: str) -> None:
    """Integers and booleans stay what they are unless a fraction or a null is among them."""
    assert json_array(values).dtype.kind == kind


@pytest.mark.parametrize(
    "values",
    ["1", ["1", 2], [[1, 2], [3]], {"a": 1}, [{}], [1, [2]], [None, "x"], [10**400, None], [10**400]],
)
def test_what_is_no_array_of_numbers(values: Any) -> None:
    """Is one error."""
    with pytest.raises(ValueError, match="not an array of numbers"):
        json_array(values)


@given(arrays(list(DATATYPES)))
def test_round_trip(drawn: tuple[str, Array]) -> None:
    """A tensor, written as JSON and read, flat or nested, is as it was; JSON has no infinities."""
    name, values = drawn
    if DATATYPES[name].is_float:
        values = np.where(np.isinf(values), 0, values).astype(DATATYPES[name].dtype)
    written = json_tensor(Tensor("x", name, values))
    assert (written["name"], written["datatype"], written["shape"]) == ("x", name, values.shape)
    for data in (written["data"].tolist(), values.tolist()):
        # NaN travels as null.
        sent = json.loads(json.dumps(data).replace("NaN", "null"))
        found = read_json_tensor("x", name, list(values.shape), sent, DATATYPES)
        assert np.asarray(found.values).dtype == DATATYPES[name].dtype
        np.testing.assert_array_equal(found.values, values)


def test_strings() -> None:
    """Are written as text."""
    assert json_tensor(Tensor("x", "BYTES", ["é".encode(), b""]))["data"] == ["é", ""]


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=3))
def test_integers_as_floats(values: list[int]) -> None:
    """Are rounded as Python rounds them: to float64, then to FP32."""
    found = json_elements(values, DATATYPES["FP32"])
    np.testing.assert_array_equal(found, [np.float32(float(value)) for value in values])


@given(st.lists(st.integers(-(2**64), 2**64), min_size=1, max_size=3), st.sampled_from(list(DATATYPES)))
def test_integers_in_their_range(values: list[int], name: str) -> None:
    """Those of a datatype are read, others are not; the error names one of them."""
    dtype = DATATYPES[name].dtype
    if dtype.kind not in "iu":
        return
    limits = np.iinfo(dtype)
    fits = all(limits.min <= value <= limits.max for value in values)
    if not fits:
        with pytest.raises(InvalidTensor) as caught:
            json_elements(values, DATATYPES[name])
        assert (caught.value.field, caught.value.reason) == ("data", "TENSOR_VALUE")
        return
    found = json_elements(values, DATATYPES[name])
    assert found.tolist() == values
    assert found.dtype == dtype


@pytest.mark.parametrize(
    ("name", "values", "elements"),
    [
        ("BOOL", [1, 0], [True, False]),
        ("FP32", [True, 2], [1, 2]),
        ("FP32", [True, False], [1, 0]),
        ("FP64", [None, 1 << 70], [math.nan, 2.0**70]),
        ("INT32", [], []),
        ("FP32", [3.4028234e38], [3.4028234e38]),
        ("UINT64", [1, (1 << 64) - 1], [1, (1 << 64) - 1]),
    ],
)
def test_elements(name: str, values: Any, elements: Any) -> None:
    """Numbers of another kind that are elements all the same."""
    np.testing.assert_array_equal(
        json_elements(values, DATATYPES[name]), np.array(elements, DATATYPES[name].dtype)
    )


@pytest.mark.parametrize(
    ("name", "values", "field", "reason", "words"),
    [
        ("INT64", [1.0], "data", "TENSOR_VALUE", "elements of INT64, not 1.0 at [0]"),
        ("INT64", [1, None], "data", "TENSOR_VALUE", "elements of INT64, not null at [1]"),
        ("INT64", [True], "data", "TENSOR_VALUE", "not booleans"),
        ("INT64", [1 << 63], "data", "TENSOR_VALUE", "9223372036854775808 at [0]"),
        ("UINT8", [3, -1], "data", "TENSOR_VALUE", "from 0 to 255 (UINT8), not -1 at [1]"),
        ("BOOL", [1, 0.5], "data", "TENSOR_VALUE", "0.5 at [1]"),
        ("FP32", ["a"], "data", "TENSOR_VALUE", "not an array of numbers"),
        ("FP32", [[1], [1, 2]], "data", "TENSOR_VALUE", "not an array of numbers"),
        ("FP32", [0, -1e300], "", "TENSOR_NOT_FINITE", "-1e+300 at [1]"),
        ("FP16", [70000], "", "TENSOR_NOT_FINITE", "65504"),
    ],
)
def test_what_is_no_element(name: str, values: Any, field: str, reason: str, words: str) -> None:
    """Is told by its place."""
    with pytest.raises(InvalidTensor) as caught:
        json_elements(values, DATATYPES[name])
    assert (caught.value.field, caught.value.reason) == (field, reason)
    assert words in caught.value.description


@pytest.mark.parametrize(
    ("changed", "field", "reason"),
    [
        ({"datatype": "BYTES"}, "datatype", "TENSOR_DTYPE"),
        ({"shape": []}, "shape", "TENSOR_SHAPE"),
        ({"shape": [1 << 70]}, "shape", "TENSOR_SHAPE"),
        ({"shape": [3]}, "", "TENSOR_SIZE"),
        ({"data": ["a", "b"]}, "data", "TENSOR_VALUE"),
        ({"data": []}, "", "TENSOR_SIZE"),
    ],
)
def test_wrong_tensors(changed: dict[str, Any], field: str, reason: str) -> None:
    """Are told by a field of the tensor."""
    given: dict[str, Any] = {"name": "x", "datatype": "FP32", "shape": [2], "data": [1, 2], **changed}
    with pytest.raises(InvalidTensor) as caught:
        read_json_tensor(**given, datatypes=DATATYPES)
    assert (caught.value.field, caught.value.reason) == (field, reason)
    assert caught.value.below("inputs[1]").field == "inputs[1]" + (f".{field}" if field else "")
