"""The size of calls: as large as may be, unless smaller ones are answered sooner."""

from __future__ import annotations

import pytest
from sequela.adapters.endpoints.call_size import choose_call_rows


@pytest.mark.parametrize(
    ("fixed", "each", "concurrency", "rows", "left", "wanted"),
    [
        (0.0, 0.0, 8, 1000, 60.0, 256),  # nothing known: as many as may be
        (0.02, 0.0, 8, 1000, 60.0, 256),  # latency alone: fewer calls
        (0.0, 0.001, 8, 1000, 60.0, 128),  # rows take the time: all calls share them
        (0.0, 0.001, 1, 1000, 60.0, 256),  # but for one at a time, where that gains nothing
        (0.0, 0.01, 8, 4096, 1.0, 16),  # a fifth of the time left at most
        (0.2, 0.0, 8, 1000, 0.5, 256),  # latency is not shortened by smaller calls
    ],
)
def test_rows_of_a_call_follow_what_calls_take(
    fixed: float, each: float, concurrency: int, rows: int, left: float, wanted: int
) -> None:
    """fixed: seconds of any call; each: of a row."""

    def seconds(count: int) -> float:
        return fixed + each * count

    assert choose_call_rows(rows, 256, concurrency, seconds, left) == wanted
