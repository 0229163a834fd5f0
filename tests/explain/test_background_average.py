"""Averages of sequences, against plain loops."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sequela.errors import InvalidInput
from sequela.explain.background import Background
from sequela.explain.background_average import Average, Averager, BackgroundShape
from sequela.explain.limits import Limits
from sequela.explain.schema import (
    Dtype,
    FeatureKind,
    FeatureSchema,
    InputSchema,
    ModelSchema,
    Role,
    TargetSchema,
)
from sequela.timeshap.cells import Cells
from sweeps import examples

# Columns of `x`: 0 amount, 1-3 kind (one-hot), 4-5 place (group). `device` holds ids, `client` is static.
SCHEMA = ModelSchema(
    inputs=(
        InputSchema("x", Role.EVENTS, Dtype.FLOAT32, 6),
        InputSchema("device", Role.EVENTS, Dtype.INT64, 1),
        InputSchema("mask", Role.MASK, Dtype.BOOL, 1),
        InputSchema("client", Role.STATIC, Dtype.FLOAT64, 3),
    ),
    features=(
        FeatureSchema("amount", {"x": (0,)}),
        FeatureSchema("kind", {"x": (1, 2, 3)}, FeatureKind.ONE_HOT),
        FeatureSchema("place", {"x": (4, 5)}, FeatureKind.GROUP),
        FeatureSchema("device", {"device": (0,)}, FeatureKind.CATEGORICAL),
        FeatureSchema("age", {"client": (0,)}),
        FeatureSchema("segment", {"client": (1, 2)}, FeatureKind.ONE_HOT),
    ),
    targets=(TargetSchema("score"),),
)

COUNTS = ModelSchema(
    inputs=(InputSchema("n", Role.EVENTS, Dtype.INT32, 2),),
    features=(FeatureSchema("n", {"n": (0, 1)}),),
    targets=(TargetSchema("score"),),
)


def sequences(seed: int, lengths: Sequence[int]) -> list[Cells]:
    """Sequences of the lengths, with few categories so that there are ties."""
    rng = np.random.default_rng(seed)
    made = []
    for length in lengths:
        x = rng.normal(100, 30, (length, 6)).astype(np.float32)
        x[:, 1:4] = np.eye(3)[rng.integers(0, 3, length)]
        client = np.array([rng.normal(), *np.eye(2)[rng.integers(0, 2)]])
        made.append(Cells((x, rng.integers(5, 8, (length, 1))), (client,)))
    return made


def average(given: Sequence[Cells], how: Average, shape: BackgroundShape, **limits: Any) -> Background:
    """The averager's answer."""
    averager = Averager(SCHEMA, how, shape, Limits(**limits))
    for cells in given:
        averager.add(cells)
    assert averager.sequences == len(given)
    assert averager.events == sum(cells.length for cells in given)
    return averager.finish()


def most_frequent(values: list[Any], ties: Any) -> Any:
    """The most frequent value; `ties` chooses among equally frequent ones."""
    counts = Counter(values)
    return ties(value for value in counts if counts[value] == max(counts.values()))


def expected_event(events: list[tuple[Any, Any]], how: Average) -> tuple[np.ndarray, np.ndarray]:
    """The average of (x row, device row) pairs, one column at a time."""
    number = statistics.fmean if how is Average.MEAN else statistics.median
    x = [number([float(row[column]) for row, _ in events]) for column in range(6)]
    x[1:4] = most_frequent([tuple(row[1:4]) for row, _ in events], max)
    device = most_frequent([int(row[0]) for _, row in events], min)
    return np.array(x), np.array([device])


@pytest.mark.parametrize("how", Average)
@pytest.mark.parametrize("seed", range(3))
def test_average_event(how: Average, seed: int) -> None:
    """Over all events of all sequences alike: a long sequence counts more than a short one."""
    given = sequences(seed, [1, 7, 3, 20])
    made = average(given, how, BackgroundShape.EVENT)
    events = [event for cells in given for event in zip(*cells.events, strict=True)]
    x, device = expected_event(events, how)
    for values in (made.rows["x"][0], made.mean_event["x"]):
        np.testing.assert_allclose(values, x, rtol=1e-6)
    assert made.rows["device"].tolist() == [device.tolist()] == [made.mean_event["device"].tolist()]
    assert made.length == 1
    assert made.rows["x"].dtype == np.float32
    assert made.rows["device"].dtype == np.int64
    assert set(made.rows) == {"x", "device"}


@pytest.mark.parametrize("how", Average)
@pytest.mark.parametrize("seed", range(3))
def test_average_sequence(how: Average, seed: int) -> None:
    """Row t averages event t of every sequence that has one; the last row is t = 0; the mean event is the
    average event.
    """
    given = sequences(seed, [2, 9, 4, 4, 9])
    made = average(given, how, BackgroundShape.SEQUENCE)
    assert made.length == 9
    for t in range(0, -9, -1):
        events = [(c.events[0][t - 1], c.events[1][t - 1]) for c in given if c.length >= 1 - t]
        x, device = expected_event(events, how)
        np.testing.assert_allclose(made.rows["x"][t - 1], x, rtol=1e-6)
        assert made.rows["device"][t - 1].tolist() == device.tolist()
    event = average(given, how, BackgroundShape.EVENT)
    for name in ("x", "device"):
        np.testing.assert_array_equal(made.mean_event[name], event.mean_event[name])


@pytest.mark.parametrize("how", Average)
@pytest.mark.parametrize("shape", BackgroundShape)
def test_static_inputs_average_over_sequences(how: Average, shape: BackgroundShape) -> None:
    """However long each sequence is."""
    given = sequences(5, [1, 50, 2, 2])
    made = average(given, how, shape)
    number = statistics.fmean if how is Average.MEAN else statistics.median
    age = number([cells.static[0][0] for cells in given])
    segment = most_frequent([tuple(cells.static[0][1:]) for cells in given], max)
    np.testing.assert_allclose(made.static["client"], [age, *segment], rtol=1e-12)
    assert made.static["client"].dtype == np.float64


def test_ties_go_to_the_smallest_id_and_the_first_column() -> None:
    """Two devices and two kinds, once each, in both orders."""
    for order in ((0, 1), (1, 0)):
        x = np.zeros((2, 6), np.float32)
        x[:, 1:4] = np.eye(3)[[2, 1]]
        cells = Cells((x[list(order)], np.array([[9], [-4]])[list(order)]), (np.array([1.0, 0.0, 1.0]),))
        made = average([cells], Average.MEAN, BackgroundShape.EVENT)
        assert made.rows["x"][0, 1:4].tolist() == [0, 1, 0]
        assert made.rows["device"].tolist() == [[-4]]


def test_ids_are_exact_whatever_their_size() -> None:
    """Two ids that float64 can't tell apart are two categories."""
    ids = np.array([[2**60 + 1], [2**60 + 1], [2**60], [5]])
    made = average(
        [Cells((np.zeros((4, 6), np.float32), ids), (np.zeros(3),))], Average.MEAN, BackgroundShape.EVENT
    )
    assert made.rows["device"].tolist() == [[2**60 + 1]]


def test_integer_columns_are_rounded() -> None:
    """A numeric feature of an integer input keeps the input's type: 1.5 becomes 2, 2.5 becomes 2."""
    for how in Average:
        averager = Averager(COUNTS, how)
        averager.add(Cells((np.array([[1, 2], [2, 3]], np.int32),)))
        made = averager.finish()
        assert made.rows["n"].tolist() == [[2, 2]]
        assert made.rows["n"].dtype == np.int32


def test_the_mode_counts_across_its_batches() -> None:
    """More events than are counted at once: still every one of them."""
    ids = np.concatenate([np.full(100_000, 3), np.full(99_999, 1)])
    np.random.default_rng(0).shuffle(ids)
    averager = Averager(SCHEMA)
    for part in np.split(ids, range(1000, len(ids), 1000)):
        averager.add(Cells((np.zeros((len(part), 6), np.float32), part[:, None]), (np.zeros(3),)))
    assert averager.finish().rows["device"].tolist() == [[3]]


def test_rows_past_the_limit_are_left_to_the_mean_event() -> None:
    """Of a sequence of 9 events and a limit of 4 rows, the most recent four; the mean event is still that of
    all nine.
    """
    given = sequences(1, [9, 2])
    made = average(given, Average.MEAN, BackgroundShape.SEQUENCE, max_background_rows=4)
    whole = average(given, Average.MEAN, BackgroundShape.SEQUENCE)
    assert made.length == 4
    for name in ("x", "device"):
        np.testing.assert_array_equal(made.rows[name], whole.rows[name][-4:])
        np.testing.assert_array_equal(made.mean_event[name], whole.mean_event[name])


def test_what_is_averaged_may_change_afterwards() -> None:
    """The averager holds no view of its caller's arrays."""
    for how in Average:
        given, same = sequences(2, [5, 6]), sequences(2, [5, 6])
        averager = Averager(SCHEMA, how, BackgroundShape.SEQUENCE)
        for cells in given:
            averager.add(cells)
            for array in (*cells.events, *cells.static):
                array[:] = 0
        assert averager.finish().digest == average(same, how, BackgroundShape.SEQUENCE).digest


def test_nothing_to_average_is_refused() -> None:
    """With a reason, not a division by zero."""
    with pytest.raises(InvalidInput) as error:
        Averager(SCHEMA).finish()
    assert error.value.reason == "NO_SEQUENCES"


def test_limits_name_themselves() -> None:
    """Too many sequences; a median, or categories, that would keep too much."""
    cells = sequences(0, [4, 4, 4])
    with pytest.raises(InvalidInput, match="limit of 2 sequences"):
        average(cells, Average.MEAN, BackgroundShape.EVENT, max_averaged_sequences=2)
    averager = Averager(SCHEMA, Average.MEDIAN, max_kept=30)
    averager.add(cells[0])
    averager.add(cells[1])
    with pytest.raises(InvalidInput, match="at most 30 numbers") as error:
        averager.add(cells[2])
    assert error.value.reason == "AVERAGE_TOO_LARGE"
    many = Averager(SCHEMA, max_kept=100)
    many.add(Cells((np.zeros((99, 6), np.float32), np.arange(99)[:, None]), (np.zeros(3),)))
    with pytest.raises(InvalidInput, match="mode may keep at most 100"):
        many.finish()


@settings(max_examples=examples(50), deadline=None)
@given(data=st.data(), how=st.sampled_from(Average), shape=st.sampled_from(BackgroundShape))
def test_order_does_not_matter_and_constants_stay(
    data: st.DataObject, how: Average, shape: BackgroundShape
) -> None:
    """Sequences in another order give the same background; every average lies between the least and the
    largest value.
    """
    lengths = data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=5))
    values = arrays.from_dtype(np.dtype(np.int32), min_value=-1000, max_value=1000)
    given = [Cells((data.draw(arrays.arrays(np.int32, (length, 2), elements=values)),)) for length in lengths]

    def averaged(cells: Sequence[Cells]) -> Background:
        averager = Averager(COUNTS, how, shape)
        for each in cells:
            averager.add(each)
        return averager.finish()

    made = averaged(given)
    assert averaged(given[::-1]).digest == made.digest
    every = np.concatenate([cells.events[0] for cells in given])
    for rows in (made.rows["n"], made.mean_event["n"]):
        assert np.all(rows >= every.min(axis=0))
        assert np.all(rows <= every.max(axis=0))
    assert made.length == (max(lengths) if shape is BackgroundShape.SEQUENCE else 1)


def one_event(*columns: float) -> Cells:
    return Cells((np.array([columns], np.float32),))


MISSING = ModelSchema(
    inputs=(InputSchema("x", Role.EVENTS, Dtype.FLOAT32, 4, allow_nan=True),),
    features=(
        FeatureSchema("a", {"x": (0,)}),
        FeatureSchema("b", {"x": (1,)}),
        FeatureSchema("kind", {"x": (2, 3)}, FeatureKind.ONE_HOT),
    ),
    targets=(TargetSchema("score"),),
)


@pytest.mark.parametrize(("how", "expected"), [(Average.MEAN, 4.0), (Average.MEDIAN, 2.0)])
def test_missing_values_are_left_out(how: Average, expected: float) -> None:
    """Column by column; a column of which nothing is known stays missing. Of categories, missing is one more."""
    nan = np.nan
    given = [
        one_event(1, nan, nan, nan),
        one_event(nan, nan, 1, 0),
        one_event(2, nan, nan, nan),
        one_event(9, nan, 0, 1),
    ]
    averager = Averager(MISSING, how)
    for cells in given:
        averager.add(cells)
    np.testing.assert_array_equal(averager.finish().mean_event["x"], [expected, nan, nan, nan])
