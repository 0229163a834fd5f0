"""Whole numbers that follow the number of events in a straight line.

A line is known from two lengths, so what a graph makes of shapes by adding and moving is known for every
length as soon as it was seen at a few. What it is compared with, and what it bounds, is judged where the line
ends: at a single event and at the most events.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
whole = np.frompyfunc(int, 1, 1)
"""Python's integers: differences of the extremes that exporters write do not fit in 64 bits."""
FEWEST_BYTES = 4
"""Of a number: smaller types cannot count events."""


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """Numbers a + b · l for l events, given at a single event and at the most events: all in between lies
    between.
    """

    single: Array
    most: Array

    @property
    def flat(self) -> bool:
        """Whether no number follows the number of events."""
        return bool(np.all(self.single == self.most))

    def __getitem__(self, place: int) -> Lines:
        """One of several."""
        return Lines(self.single[place : place + 1], self.most[place : place + 1])

    def __sub__(self, other: Lines | int) -> Lines:
        """How far above other numbers they are."""
        if isinstance(other, int):
            return Lines(self.single - other, self.most - other)
        return Lines(self.single - other.single, self.most - other.most)

    def __add__(self, other: Lines) -> Lines:
        """The sum."""
        return Lines(self.single + other.single, self.most + other.most)

    def never_above(self) -> bool:
        """Whether all are at most 0, for any number of events."""
        return bool(np.all(self.single <= 0) and np.all(self.most <= 0))

    def always_zero(self) -> bool:
        """Whether all are 0, for any number of events."""
        return bool(np.all(self.single == 0) and np.all(self.most == 0))

    def stay_below(self) -> Array:
        """Of each, whether it is below 0 either for any number of events or for none."""
        return np.asarray((self.single < 0) == (self.most < 0))

    def stay_above(self) -> Array:
        """The same, above 0."""
        return np.asarray((self.single > 0) == (self.most > 0))


def through(arrays: Sequence[Array], lengths: Sequence[int], most: int) -> Lines | None:
    """The lines through what was seen at three lengths or more; None where they are none."""
    if len({array.shape for array in arrays}) > 1 or not all(map(_is_whole, arrays)):
        return None
    start, near, *others = (np.asarray(whole(array), dtype=object) for array in arrays)
    rise, span = near - start, lengths[1] - lengths[0]
    # A slope of a half is rounded somewhere: by a cast, if not by the graph itself.
    if np.any(rise % span):
        return None

    def at(length: int) -> Array:
        return np.asarray(start + rise // span * (length - lengths[0]), dtype=object)

    if any(np.any(at(length) != seen) for length, seen in zip(lengths[2:], others, strict=True)):
        return None
    return Lines(at(1), at(most))


def events(most: int) -> Lines:
    """The number of events itself."""
    return Lines(np.array([1], dtype=object), np.array([most], dtype=object))


def _is_whole(array: Array) -> bool:
    if array.dtype.kind not in "iuf" or array.dtype.itemsize < FEWEST_BYTES:
        return False
    return bool(np.isfinite(array).all() and (array == np.floor(array)).all())
