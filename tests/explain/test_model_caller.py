"""How batches are sized and when they begin: by shape, and by the time that is left."""

from __future__ import annotations

import math

import pytest
from asking import one_worker
from hypothesis import given
from hypothesis import strategies as st
from sequela.concurrency.deadline import Deadline, DeadlinePassed
from sequela.explain.evaluate.model_caller import (
    CACHE_BYTES,
    MAX_BATCH_ROWS,
    MAX_BATCH_SECONDS,
    MAX_BATCH_SHARE,
    WORK_PER_SECOND,
    ModelCaller,
)
from sequela.explain.ports import Observers

shapes = st.tuples(st.integers(1, 10**9), st.integers(1, 3000), st.integers(1, 10**6))


def caller(seconds: float = math.inf) -> ModelCaller:
    return ModelCaller(Deadline(seconds), one_worker(), Observers(()))


@given(shapes)
def test_rows_follow_from_the_shape(shape: tuple[int, int, int]) -> None:
    """A power of two, at least a pair; no more than the cache, five milliseconds of a slow core and 1024 rows allow."""
    work, events, cells = shape
    rows = caller().batch_rows(work, events, cells, math.inf)
    assert rows == caller(3600.0).batch_rows(work, events, cells, math.inf)
    assert rows & (rows - 1) == 0
    assert 2 <= rows <= MAX_BATCH_ROWS
    if rows > 2:
        assert rows * work <= MAX_BATCH_SECONDS * WORK_PER_SECOND
        assert rows * 4 * cells <= CACHE_BYTES


@given(shapes, st.floats(0.001, 0.04))
def test_a_batch_takes_no_more_than_a_tenth_of_the_time_left(
    shape: tuple[int, int, int], left: float
) -> None:
    """Estimated on a slow core; a pair of rows is the least."""
    rows = caller(left).batch_rows(*shape, math.inf)
    assert rows <= caller().batch_rows(*shape, math.inf)
    assert rows == 2 or rows * shape[0] <= MAX_BATCH_SHARE * left * WORK_PER_SECOND


def test_a_batch_that_would_end_late_is_not_begun() -> None:
    """Once two batches have shown how long an event takes, one that would end late raises DeadlinePassed."""
    deadline = Deadline()
    asked = ModelCaller(deadline, one_worker(), Observers(()))
    begun = []

    def slow(_: float) -> None:
        begun.append(1)
        ends = deadline.now() + 0.02
        while deadline.now() < ends:
            pass

    for _ in range(2):
        asked.run(64, 1, math.inf, slow)
    deadline.end = deadline.now() + 0.1
    with pytest.raises(DeadlinePassed):
        asked.run(64 * 100, 1, math.inf, slow)
    assert begun == [1, 1]


def test_the_cost_counts_rows_calls_and_events() -> None:
    """Events are those of all rows together."""
    asked = caller()
    for rows, events in ((3, 5), (10, 1)):
        asked.run(rows, events, math.inf, lambda until: until)
    cost = asked.cost()
    assert (cost.model_rows, cost.model_calls, cost.model_events) == (13, 2, 25)


def test_a_call_gets_the_time_when_it_must_have_ended() -> None:
    """The level's end, or the request's where that comes first."""
    deadline = Deadline()
    asked = ModelCaller(deadline, one_worker(), Observers(()))
    soon = deadline.now() + 10
    assert asked.run(1, 1, soon, lambda until: until) == soon
    deadline.end = soon - 5
    assert asked.run(1, 1, soon, lambda until: until) == soon - 5
