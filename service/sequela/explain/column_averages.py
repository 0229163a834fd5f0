"""Averages of the columns of one input: means, medians and modes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sequela.errors import InvalidInput
from sequela.explain.schema import FeatureKind, InputSchema, ModelSchema

MAX_KEPT = 20_000_000
"""How many numbers a median, or a mode of very many categories, may keep for one input."""
MAX_PENDING_ROWS = 1 << 16
"""Number of added rows after which a mode counts them and frees their memory."""
NAN_MARK = -1.7e308
"""Stands for NaN while modes are counted, because NaN is not equal to itself."""
TIES = {FeatureKind.CATEGORICAL: -1, FeatureKind.ONE_HOT: 1}
"""How ties are broken: the smallest id wins, or the largest one-hot row, which is the one whose first column is set."""

Floats = NDArray[np.float64]


class ColumnAverage(Protocol):
    """The average of some columns, for each position."""

    def add(self, values: NDArray[Any]) -> None:
        """Adds values (positions, repeats, columns)."""

    def value(self) -> NDArray[Any]:
        """Returns the average, (positions, columns)."""


class InputAverage:
    """The average of one input: modes of categorical and one-hot columns, means or medians of the others.

    Args:
        schema: The model's schema.
        given: The input.
        numeric: Creates the average for a given number of numeric columns.
        max_kept: How many numbers a mode may keep in memory.
    """

    def __init__(
        self,
        schema: ModelSchema,
        given: InputSchema,
        numeric: Callable[[int], ColumnAverage],
        max_kept: int,
    ) -> None:
        self._dtype = np.dtype(given.dtype.value)
        self._width = given.width
        self._modes: list[tuple[list[int], Mode]] = []
        for feature in schema.features:
            columns = list(feature.columns.get(given.name, ()))
            if columns and feature.kind in TIES:
                self._modes.append((columns, Mode(max_kept, TIES[feature.kind])))
        categories = {column for columns, _ in self._modes for column in columns}
        self._numeric = [column for column in range(given.width) if column not in categories]
        self._number = numeric(len(self._numeric))

    def add(self, values: NDArray[Any]) -> None:
        """Adds values (positions, repeats, columns)."""
        # Indexing by a list copies, so a median may keep the values.
        self._number.add(values[:, :, self._numeric])
        for columns, mode in self._modes:
            mode.add(values[:, :, columns])

    def value(self) -> NDArray[Any]:
        """Returns the average in the input's element type, (positions, columns)."""
        numbers = self._number.value()
        value = np.empty((len(numbers), self._width), self._dtype)
        value[:, self._numeric] = numbers if self._dtype.kind == "f" else np.rint(numbers)
        for columns, mode in self._modes:
            value[:, columns] = mode.value()
        return value


class Mean:
    """The mean, summed in float64. NaN is ignored; a column that is NaN throughout has the mean NaN."""

    def __init__(self, columns: int) -> None:
        self._totals: Floats = np.zeros((0, columns))
        self._counts: Floats = np.zeros((0, columns))

    def add(self, values: NDArray[Any]) -> None:
        """As in `ColumnAverage`."""
        positions, repeats, _ = values.shape
        if positions > len(self._counts):
            new = ((0, positions - len(self._counts)), (0, 0))
            self._totals, self._counts = np.pad(self._totals, new), np.pad(self._counts, new)
        # Without NaN, which is the usual case, one sum is enough.
        missing = np.isnan(values) if values.dtype.kind == "f" else np.zeros((), dtype=bool)
        if missing.any():
            self._totals[:positions] += np.where(missing, 0, values).sum(axis=1, dtype=np.float64)
            self._counts[:positions] += (~missing).sum(axis=1)
        else:
            self._totals[:positions] += values.sum(axis=1, dtype=np.float64)
            self._counts[:positions] += repeats

    def value(self) -> Floats:
        """As in `ColumnAverage`."""
        known = self._counts > 0
        return np.where(known, self._totals / np.where(known, self._counts, 1), np.nan)


class Median:
    """The median, which needs all values in memory. NaN is treated as in `Mean`."""

    def __init__(self, max_kept: int) -> None:
        self._kept: list[NDArray[Any]] = []
        self._left = max_kept
        self._max_kept = max_kept

    def add(self, values: NDArray[Any]) -> None:
        """As in `ColumnAverage`. Raises InvalidInput if there are too many numbers."""
        self._left -= values.size
        if self._left < 0:
            raise _too_many("a median", self._max_kept)
        self._kept.append(values)

    def value(self) -> Floats:
        """As in `ColumnAverage`."""
        # Sequences that are too short for a position drop out from the end of the list.
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


class Mode:
    """The most frequent row of the columns. NaN counts as a category of its own, which sorts before all others.

    Args:
        max_kept: How many numbers may be kept in memory.
        ties: Which of several equally frequent rows is returned: 1 for the largest, -1 for the smallest.
    """

    def __init__(self, max_kept: int, ties: int) -> None:
        self._max_kept = max_kept
        self._ties = ties
        self._pending: list[NDArray[Any]] = []
        self._pending_rows = 0
        self._distinct: NDArray[Any] | None = None
        self._counts: NDArray[Any] = np.zeros(0)

    def add(self, values: NDArray[Any]) -> None:
        """As in `ColumnAverage`."""
        positions, repeats, columns = values.shape
        # Ids stay integers, because float64 cannot hold all of them above 2^53.
        rows = np.empty(
            (positions * repeats, 1 + columns), np.float64 if values.dtype.kind == "f" else np.int64
        )
        rows[:, 0] = np.repeat(np.arange(positions), repeats)
        rows[:, 1:] = values.reshape(-1, columns)
        if values.dtype.kind == "f":
            rows[np.isnan(rows)] = NAN_MARK
        self._pending.append(rows)
        self._pending_rows += len(rows)
        if self._pending_rows >= MAX_PENDING_ROWS:
            self._count()

    def value(self) -> NDArray[Any]:
        """As in `ColumnAverage`."""
        self._count()
        assert self._distinct is not None
        # Sort by position, then frequency, then value. The last row of each position is the mode.
        by_value = self._distinct[:, :0:-1].T * self._ties
        order = np.lexsort((*by_value, self._counts, self._distinct[:, 0]))
        ordered = self._distinct[order]
        modes = ordered[np.flatnonzero(np.diff(ordered[:, 0], append=np.inf)), 1:]
        return np.where(modes == NAN_MARK, np.nan, modes) if modes.dtype.kind == "f" else modes

    def _count(self) -> None:
        if not self._pending:
            return
        rows, counts = np.concatenate(self._pending), np.ones(self._pending_rows)
        if self._distinct is not None:
            rows, counts = np.concatenate([self._distinct, rows]), np.concatenate([self._counts, counts])
        # Counting in batches keeps only distinct rows, so memory does not grow with the number of events.
        self._distinct, inverse = np.unique(rows, axis=0, return_inverse=True)
        self._counts = np.bincount(inverse.reshape(-1), counts)
        self._pending, self._pending_rows = [], 0
        if self._distinct.size > self._max_kept:
            raise _too_many("a mode", self._max_kept)


def _too_many(what: str, limit: int) -> InvalidInput:
    return InvalidInput.at(
        "sequence",
        "AVERAGE_TOO_LARGE",
        f"{what} may keep at most {limit} numbers for each input in memory; send fewer sequences",
    )
