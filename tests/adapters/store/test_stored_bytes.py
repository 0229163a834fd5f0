"""What is stored comes back the same, bit for bit; what is damaged does not come back."""

from __future__ import annotations

import dataclasses
import math
import pickle
import struct

import numpy as np
import pytest
from adapters.store.store_samples import background, explanation
from hypothesis import given, settings
from hypothesis import strategies as st
from sequela.adapters.store.serialization import (
    decode_background,
    decode_explanation,
    encode_background,
    encode_explanation,
    seal,
    unseal,
)


def test_an_explanation_comes_back_equal() -> None:
    """Every field, with its type: enums, tuples, times with microseconds, the largest seed, infinity, minus zero."""
    for made in (
        explanation(1),
        explanation(2, players=200, labels={"k": "v\u2028\U0001f600"}, cut_short=True),
    ):
        back = decode_explanation(encode_explanation(made))
        assert back == made
        assert repr(back).replace("TzInfo(0)", "datetime.timezone.utc") == repr(made).replace(
            "TzInfo(0)", "datetime.timezone.utc"
        )
        assert math.copysign(1, back.targets[0].score) == -1


@settings(max_examples=300, deadline=None)
@given(st.lists(st.floats(), min_size=1, max_size=20))
def test_floats_come_back_bit_for_bit(numbers: list[float]) -> None:
    """Subnormal, huge, minus zero, infinite; a NaN stays a NaN."""
    made = dataclasses.replace(
        explanation(), pruning=dataclasses.replace(explanation().pruning, tolerance=tuple(numbers))
    )
    back = decode_explanation(encode_explanation(made))
    for put, got in zip(numbers, back.pruning.tolerance, strict=True):
        assert struct.pack("<d", got) == struct.pack("<d", put) or (math.isnan(got) and math.isnan(put))


@pytest.mark.parametrize("rows", [1, 3, 2000])
def test_a_background_comes_back_equal(rows: int) -> None:
    """Names, element types, shapes and bits, small and compressed; the arrays can't be written to."""
    made = background(rows=rows)
    back = decode_background(encode_background(made))
    assert back.digest == made.digest
    assert list(back.rows) == list(made.rows)
    assert back.static["small"].dtype == np.int32
    assert not back.rows["x"].flags.writeable


def test_a_background_in_any_memory_order_is_stored_alike() -> None:
    """Big-endian, transposed and reversed arrays hold the same values."""
    made = background(rows=5)
    turned = dataclasses.replace(
        made,
        rows={
            "x": np.asfortranarray(made.rows["x"]),
            "ids": made.rows["ids"].astype(">i8"),
            "flags": made.rows["flags"][::-1][::-1],
        },
    )
    assert decode_background(encode_background(turned)).digest == made.digest


FOREIGN = [
    b"",
    b"SQ1",
    b"{}",
    pickle.dumps({"a": 1}),
    b"\x80\x04",
    seal(b""),
    seal(b"{}"),
    seal(b"[[1]]"),
    seal(b"\xff" * 99),
]


@pytest.mark.parametrize("foreign", FOREIGN, ids=range(len(FOREIGN)))
def test_foreign_bytes_decode_to_none(foreign: bytes) -> None:
    """Whatever somebody put there; a pickle is not even looked into."""
    assert decode_explanation(foreign) is None
    assert decode_background(foreign) is None


@settings(max_examples=200, deadline=None)
@given(place=st.integers(0, 10_000), bit=st.integers(0, 7), large=st.booleans())
def test_a_flipped_bit_is_noticed(place: int, bit: int, large: bool) -> None:
    """Anywhere, compressed or not."""
    data = bytearray(encode_background(background(rows=100 if large else 1)))
    data[place % len(data)] ^= 1 << bit
    assert decode_background(bytes(data)) is None


@settings(max_examples=50, deadline=None)
@given(length=st.integers(0, 2000))
def test_a_truncated_value_is_noticed(length: int) -> None:
    """Wherever it ends."""
    data = encode_explanation(explanation())
    assert decode_explanation(data[: min(length, len(data) - 1)]) is None


def test_a_header_that_lies_decodes_to_none() -> None:
    """Element types we never write, parts that do not exist, shapes larger than the data."""
    for header in (
        '[["rows","x","|O",[1]]]',
        '[["other","x","<f4",[1]]]',
        '[["rows","x","<f4",[99]]]',
        "7",
        "[7]",
    ):
        content = struct.pack("<I", len(header)) + header.encode() + bytes(4)
        assert decode_background(seal(content)) is None


def test_long_content_is_compressed() -> None:
    """A kilobyte or more; the content comes back either way."""
    for content in (b"x" * 10, b"x" * 100_000):
        assert unseal(seal(content)) == content
    assert len(seal(b"x" * 100_000)) < 1000
