"""Sequences into a background: what is usual (TimeSHAP Eq. 5), streamed one sequence at a time.

Values to average come as (positions, repeats, columns): an average event has one position with every event a
repeat, an average sequence has one position for each event, counted from the most recent one. All else is the
same for both.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sequela.errors import InvalidInput
from sequela.explain.background import Background
from sequela.explain.limits import Limits
from sequela.explain.schema import FeatureKind, InputSchema, ModelSchema, Role
from sequela.timeshap.cells import Cells

MAX_KEPT = 20_000_000
"""Numbers that a median, or a mode of very many categories, may keep for one input."""

_PENDING = 1 << 16
_MISSING = -1.7e308
"""NaN while modes are counted: NaN is not equal to itself."""
# Which of equally frequent rows is the mode: the smallest id, and the largest one-hot row, whose first column is set.
_TIES = {FeatureKind.CATEGORICAL: -1, FeatureKind.ONE_HOT: 1}

Floats = NDArray[np.float64]


class Average(StrEnum):
    """How numeric columns are averaged."""

    MEAN = "mean"
    MEDIAN = "median"


class BackgroundShape(StrEnum):
    """What the average is: one event, or one for every position."""

    EVENT = "event"
    SEQUENCE = "sequence"


class Averager:
    """Takes sequences one by one, then gives their background.

    Every event of every sequence counts alike. Categorical and one-hot features take their mode, ties to the
    smallest id or the first column; integer and bool columns that are averaged are rounded to the nearest,
    halves to even. Means need memory for one background only; medians keep what was added, at most `max_kept`
    numbers. An average sequence has as many rows as the longest sequence, and at most
    limits.max_background_rows: older events are left to the mean event, which is the average event.
    """

    def __init__(
        self,
        schema: ModelSchema,
        average: Average = Average.MEAN,
        shape: BackgroundShape = BackgroundShape.EVENT,
        limits: Limits | None = None,
        max_kept: int = MAX_KEPT,
    ) -> None:
        self._limits = limits or Limits()
        self._events = tuple(given for given in schema.inputs if given.role is Role.EVENTS)
        self._static = tuple(given for given in schema.inputs if given.role is Role.STATIC)

        def averages(inputs: tuple[InputSchema, ...]) -> tuple[_InputAverage, ...]:
            return tuple(_InputAverage(schema, given, average, max_kept) for given in inputs)

        self._any_event = averages(self._events)
        self._by_position = averages(self._events if shape is BackgroundShape.SEQUENCE else ())
        self._any_static = averages(self._static)
        self.sequences = 0
        self.events = 0

    def add(self, cells: Cells) -> None:
        """Counts one sequence of real events: (l, d_j) for every event input, (s_j,) for every static one.

        Raises InvalidInput past limits.max_averaged_sequences, or where a median would keep too much.
        """
        if self.sequences == self._limits.max_averaged_sequences:
            raise InvalidInput.at(
                "sequence",
                "TOO_MANY_SEQUENCES",
                f"more than the limit of {self.sequences} sequences to average",
            )
        self.sequences += 1
        self.events += cells.length
        latest = slice(None, -self._limits.max_background_rows - 1, -1)
        for average, values in zip(self._any_event, cells.events, strict=True):
            average.add(values[np.newaxis])
        for average, values in zip(self._by_position, cells.events, strict=False):
            average.add(values[latest, np.newaxis])
        for average, values in zip(self._any_static, cells.static, strict=True):
            average.add(values[np.newaxis, np.newaxis])

    def finish(self) -> Background:
        """The background, in the inputs' element types. Raises InvalidInput when nothing was added."""
        if not self.sequences:
            raise InvalidInput.at(
                "sequence", "NO_SEQUENCES", "at least one sequence is needed for an average"
            )
        mean_event = _values(self._events, self._any_event)
        rows = _values(self._events, self._by_position) if self._by_position else mean_event
        static = _values(self._static, self._any_static)
        return Background(
            rows={name: np.ascontiguousarray(values[::-1]) for name, values in rows.items()},
            mean_event={name: values[0] for name, values in mean_event.items()},
            static={name: values[0] for name, values in static.items()},
        )


class _Columnwise(Protocol):
    """An average of some columns, position by position."""

    def add(self, values: NDArray[Any]) -> None:
        """Counts values (positions, repeats, columns)."""

    def value(self) -> NDArray[Any]:
        """(positions, columns)."""


class _InputAverage:
    """The average of one input: all columns as numbers, then the modes over those that are categories."""

    def __init__(self, schema: ModelSchema, given: InputSchema, average: Average, max_kept: int) -> None:
        self._dtype = np.dtype(given.dtype.value)
        self._width = given.width
        self._modes: list[tuple[list[int], _Mode]] = []
        for feature in schema.features:
            columns = list(feature.columns.get(given.name, ()))
            if columns and feature.kind in _TIES:
                self._modes.append((columns, _Mode(max_kept, _TIES[feature.kind])))
        categories = {column for columns, _ in self._modes for column in columns}
        self._numeric = [column for column in range(given.width) if column not in categories]
        self._number: _Columnwise = (
            _Mean(given.width - len(categories)) if average is Average.MEAN else _Median(max_kept)
        )

    def add(self, values: NDArray[Any]) -> None:
        """Counts values (positions, repeats, columns)."""
        self._number.add(values[:, :, self._numeric])  # indexing by a list copies, so that values may be kept
        for columns, mode in self._modes:
            mode.add(values[:, :, columns])

    def value(self) -> NDArray[Any]:
        """(positions, columns) in the input's element type."""
        numbers = self._number.value()
        value = np.empty((len(numbers), self._width), self._dtype)
        value[:, self._numeric] = numbers if self._dtype.kind == "f" else np.rint(numbers)
        for columns, mode in self._modes:
            value[:, columns] = mode.value()
        return value


class _Mean:
    """Sums in float64. What is missing (NaN) is left out; a column of which nothing is known stays NaN."""

    def __init__(self, columns: int) -> None:
        self._totals: Floats = np.zeros((0, columns))
        self._counts: Floats = np.zeros((0, columns))

    def add(self, values: NDArray[Any]) -> None:
        positions, repeats, _ = values.shape
        if positions > len(self._counts):
            new = ((0, positions - len(self._counts)), (0, 0))
            self._totals, self._counts = np.pad(self._totals, new), np.pad(self._counts, new)
        missing = np.isnan(values) if values.dtype.kind == "f" else np.zeros((), dtype=bool)
        if missing.any():
            self._totals[:positions] += np.where(missing, 0, values).sum(axis=1, dtype=np.float64)
            self._counts[:positions] += (~missing).sum(axis=1)
        else:
            self._totals[:positions] += values.sum(axis=1, dtype=np.float64)
            self._counts[:positions] += repeats

    def value(self) -> Floats:
        known = self._counts > 0
        return np.where(known, self._totals / np.where(known, self._counts, 1), np.nan)


class _Median:
    """Keeps the values. What is missing (NaN) is left out, as of a mean."""

    def __init__(self, max_kept: int) -> None:
        self._kept: list[NDArray[Any]] = []
        self._left = max_kept
        self._max_kept = max_kept

    def add(self, values: NDArray[Any]) -> None:
        self._left -= values.size
        if self._left < 0:
            raise _too_much("a median", self._max_kept)
        self._kept.append(values)

    def value(self) -> Floats:
        longest_first = sorted(self._kept, key=len, reverse=True)
        medians = []
        for position in range(len(longest_first[0])):
            while len(longest_first[-1]) <= position:
                longest_first.pop()
            values = np.concatenate([kept[position] for kept in longest_first])
            medians.append(_median(values.astype(np.float64)))
        return np.array(medians)


def _median(values: Floats) -> Floats:
    if not np.isnan(values).any():
        return np.asarray(np.median(values, axis=0))
    known = [column[~np.isnan(column)] for column in values.T]
    return np.array([np.median(column) if len(column) else np.nan for column in known])


class _Mode:
    """Counts distinct rows of the columns. Of equally frequent ones the largest wins (ties 1), or the
    smallest (ties -1). What is missing (NaN) is a category like others, below them.
    """

    def __init__(self, max_kept: int, ties: int) -> None:
        self._max_kept = max_kept
        self._ties = ties
        self._pending: list[NDArray[Any]] = []
        self._pending_rows = 0
        self._distinct: NDArray[Any] | None = None
        self._counts: NDArray[Any] = np.zeros(0)

    def add(self, values: NDArray[Any]) -> None:
        positions, repeats, columns = values.shape
        rows = np.empty(
            (positions * repeats, 1 + columns), np.float64 if values.dtype.kind == "f" else np.int64
        )
        rows[:, 0] = np.repeat(np.arange(positions), repeats)
        rows[:, 1:] = values.reshape(-1, columns)
        if values.dtype.kind == "f":
            rows[np.isnan(rows)] = _MISSING
        self._pending.append(rows)
        self._pending_rows += len(rows)
        if self._pending_rows >= _PENDING:
            self._count()

    def value(self) -> NDArray[Any]:
        self._count()
        assert self._distinct is not None
        # Sorted by position, then frequency, then value: the last of each position wins.
        by_value = self._distinct[:, :0:-1].T * self._ties
        order = np.lexsort((*by_value, self._counts, self._distinct[:, 0]))
        ordered = self._distinct[order]
        modes = ordered[np.flatnonzero(np.diff(ordered[:, 0], append=np.inf)), 1:]
        return np.where(modes == _MISSING, np.nan, modes) if modes.dtype.kind == "f" else modes

    def _count(self) -> None:
        if not self._pending:
            return
        rows, counts = np.concatenate(self._pending), np.ones(self._pending_rows)
        if self._distinct is not None:
            rows, counts = np.concatenate([self._distinct, rows]), np.concatenate([self._counts, counts])
        self._distinct, inverse = np.unique(rows, axis=0, return_inverse=True)
        self._counts = np.bincount(inverse.reshape(-1), counts)
        self._pending, self._pending_rows = [], 0
        if self._distinct.size > self._max_kept:
            raise _too_much("a mode", self._max_kept)


def _values(inputs: tuple[InputSchema, ...], averages: tuple[_InputAverage, ...]) -> dict[str, NDArray[Any]]:
    return {given.name: average.value() for given, average in zip(inputs, averages, strict=True)}


def _too_much(what: str, limit: int) -> InvalidInput:
    return InvalidInput.at(
        "sequence",
        "AVERAGE_TOO_LARGE",
        f"{what} keeps at most {limit} numbers of an input; send fewer sequences",
    )
