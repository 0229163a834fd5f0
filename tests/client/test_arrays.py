"""What counts as an array of numbers for the client, and what is refused in words."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray
from sequela_client import CallerError
from sequela_client.arrays import PLAIN, numbers

WANTED = np.array([[0.0, 1.0], [2.0, 3.0]])


class Tensor:
    """Behaves as torch's tensors do: no array while it needs gradients, on another device, or in bfloat16."""

    def __init__(self, values: NDArray[Any], ready: bool = False, dtype: str = "torch.bfloat16") -> None:
        self._values, self._ready, self.dtype = values, ready, dtype

    def detach(self) -> Tensor:
        return self

    def cpu(self) -> Tensor:
        return Tensor(self._values, True, self.dtype)

    def float(self) -> Tensor:
        return Tensor(self._values, self._ready, "torch.float32")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if not self._ready:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy()")
        if self.dtype == "torch.bfloat16":
            raise TypeError("Got unsupported ScalarType BFloat16")
        return self._values.astype("f4")


TAKEN: dict[str, Any] = {
    "lists": [[0, 1], [2, 3]],
    "tuples": ((0.0, 1.0), (2.0, 3.0)),
    "fortran": np.asfortranarray(WANTED),
    "negative strides": WANTED[::-1][::-1],
    "big-endian": WANTED.astype(">f8"),
    "big-endian integers": WANTED.astype(">i4"),
    "read-only": np.broadcast_to(WANTED, (2, 2)),
    "unsigned": WANTED.astype(np.uint64),
    "small integers": WANTED.astype(np.int8),
    "half": WANTED.astype(np.float16),
    "long double": WANTED.astype(np.longdouble),
    "bfloat16": WANTED.astype(ml_dtypes.bfloat16),
    "float8": WANTED.astype(ml_dtypes.float8_e4m3fn),
    "text": np.array([["0", "1.0"], ["2e0", " 3 "]]),
    "bytes": np.array([[b"0", b"1.0"], [b"2e0", b"3"]]),
    "objects": np.array([[0, True], [Decimal(2), np.float32(3)]], dtype=object),
    "tensor": Tensor(WANTED),
    "unmasked": np.ma.masked_array(WANTED, mask=False),
}


@pytest.mark.parametrize("kind", TAKEN)
def test_numbers_of_any_kind_are_taken(kind: str) -> None:
    """The values stay what they are, in one of the contract's types."""
    found = numbers("x", TAKEN[kind])
    assert found.dtype in PLAIN
    np.testing.assert_array_equal(found.astype(float), WANTED)


def test_what_is_missing_is_nan() -> None:
    """None, an empty text and NaN in a list are NaN; whether a model takes that is for the server to say."""
    found = numbers("x", [[1.0, None], ["", "nan"]])
    np.testing.assert_array_equal(found, [[1.0, np.nan], [np.nan, np.nan]])


def test_booleans_stay_booleans() -> None:
    """In an array of their own, and among objects."""
    for values in ([True, False], np.array([True, False], dtype=object)):
        assert numbers("x", values).dtype == bool


REFUSED: dict[str, tuple[Any, str]] = {
    "masked": (np.ma.masked_array(WANTED, mask=[[0, 0], [1, 0]]), "1 of 4 values of the array are masked"),
    "ragged": ([[1.0, 2.0], [3.0]], "rows differ in length"),
    "words": (np.array([["1", "two"]]), "value 1 is 'two'"),
    "thousands": ([["1,234.5"]], "value 0 is '1,234.5'"),
    "underscores": ([["1_000"]], "'1_000'"),
    "complex": (WANTED.astype(complex), "complex numbers"),
    "complex objects": (np.array([1j], dtype=object), "a complex, not a number"),
    "times": (np.array(["2026-01-01"], dtype="datetime64[D]"), "times"),
    "too large": (np.array([2**64 - 1], dtype=np.uint64), "integers beyond 2\\^63"),
    "nothing": (None, "a NoneType is not an array"),
    "a function": (len, "a builtin_function_or_method is not an array"),
    "records": (np.void(b"123"), "not numbers"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_refused_says_what_it_is(kind: str) -> None:
    """A SequelaError that names the input and the value."""
    given, text = REFUSED[kind]
    with pytest.raises(CallerError, match=f"^x.*{text}") as caught:
        numbers("x", given)
    assert caught.value.reason == "NOT_AN_ARRAY"
