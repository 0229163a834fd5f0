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
to_python_integers = np.frompyfunc(int, 1, 1)
"""Python's integers: differences of the extremes that exporters write do not fit in 64 bits."""
MIN_ITEM_BYTES = 4
"""Of a number: smaller types cannot count events."""


@dataclass(frozen=True, slots=True, eq=False)
class AffineArray:
    """Numbers a + b · l for l events, given at a single event and at the most events: all in between lies
    between.
    """

    at_one_event: Array
    at_max_events: Array

    @property
    def is_constant(self) -> bool:
        """Whether no number follows the number of events."""
        return bool(np.all(self.at_one_event == self.at_max_events))

    def __getitem__(self, place: int) -> AffineArray:
        """One of several."""
        return AffineArray(self.at_one_event[place : place + 1], self.at_max_events[place : place + 1])

    def __sub__(self, other: AffineArray | int) -> AffineArray:
        """How far above other numbers they are."""
        if isinstance(other, int):
            return AffineArray(self.at_one_event - other, self.at_max_events - other)
        return AffineArray(self.at_one_event - other.at_one_event, self.at_max_events - other.at_max_events)

    def __add__(self, other: AffineArray) -> AffineArray:
        """The sum."""
        return AffineArray(self.at_one_event + other.at_one_event, self.at_max_events + other.at_max_events)

    def is_never_positive(self) -> bool:
        """Whether all are at most 0, for any number of events."""
        return bool(np.all(self.at_one_event <= 0) and np.all(self.at_max_events <= 0))

    def is_always_zero(self) -> bool:
        """Whether all are 0, for any number of events."""
        return bool(np.all(self.at_one_event == 0) and np.all(self.at_max_events == 0))

    def negativity_is_fixed(self) -> Array:
        """Of each, whether it is below 0 either for any number of events or for none."""
        return np.asarray((self.at_one_event < 0) == (self.at_max_events < 0))

    def positivity_is_fixed(self) -> Array:
        """The same, above 0."""
        return np.asarray((self.at_one_event > 0) == (self.at_max_events > 0))


def fit_affine(arrays: Sequence[Array], lengths: Sequence[int], at_max_events: int) -> AffineArray | None:
    """The lines through what was seen at three lengths or more; None where they are none."""
    if len({array.shape for array in arrays}) > 1 or not all(map(_is_whole, arrays)):
        return None
    start, near, *others = (np.asarray(to_python_integers(array), dtype=object) for array in arrays)
    rise, span = near - start, lengths[1] - lengths[0]
    # A slope of a half is rounded somewhere: by a cast, if not by the graph itself.
    if np.any(rise % span):
        return None

    def at(length: int) -> Array:
        return np.asarray(start + rise // span * (length - lengths[0]), dtype=object)

    if any(np.any(at(length) != seen) for length, seen in zip(lengths[2:], others, strict=True)):
        return None
    return AffineArray(at(1), at(at_max_events))


def sequence_length(at_max_events: int) -> AffineArray:
    """The number of events itself."""
    return AffineArray(np.array([1], dtype=object), np.array([at_max_events], dtype=object))


def _is_whole(array: Array) -> bool:
    if array.dtype.kind not in "iuf" or array.dtype.itemsize < MIN_ITEM_BYTES:
        return False
    return bool(np.isfinite(array).all() and (array == np.floor(array)).all())
