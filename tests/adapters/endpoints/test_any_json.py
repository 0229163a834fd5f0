"""Whatever JSON an endpoint answers with, it is an array of the right rows, or an answer that is none."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sequela.adapters.endpoints.answers import WrongAnswer, json_floats
from sequela.adapters.endpoints.rest_answers import ANYTHING, PREDICT, read_answer
from sequela.adapters.endpoints.rest_v1 import predictions

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=12,
)


@given(VALUES, st.integers(1, 4))
def test_any_predictions(value: Any, rows: int) -> None:
    """Of version 1, given as they are or in their place."""
    for answer in (value, {"predictions": value}):
        with suppress(WrongAnswer):
            found = read_answer(PREDICT, json.dumps(answer).encode(), "it")
            assert predictions(found.predictions, "", rows).shape[0] == rows


@given(
    st.lists(
        st.lists(
            st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(), min_size=2, max_size=2
        )
    )
)
def test_numbers(rows: list[list[Any]]) -> None:
    """All that are numbers come out as Python has them, null as NaN."""
    wanted = [[np.nan if value is None else float(value) for value in row] for row in rows]
    np.testing.assert_array_equal(json_floats(rows, "it"), np.array(wanted, np.float64))


@given(st.binary(max_size=40) | st.text('[]{}:,"0NaInfity-', max_size=30).map(str.encode))
def test_any_bytes(content: bytes) -> None:
    """Of no JSON, one error."""
    with suppress(WrongAnswer):
        assert json.dumps(read_answer(ANYTHING, content, "it")) == json.dumps(json.loads(content))
