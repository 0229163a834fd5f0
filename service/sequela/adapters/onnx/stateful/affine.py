"""Whole numbers that are affine in the number of events: a + b · l for l events.

Exporters build shapes and indices by adding, scaling and moving the sizes of other tensors. Two lengths determine a and
b, so numbers that were observed at a few lengths are known for every length. An affine number lies between its values
at the two extremes, one event and the most events, so comparisons and bounds are decided there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
to_python_integers = np.frompyfunc(int, 1, 1)
"""Differences of the extremes that exporters write (±2⁶³) do not fit in 64 bits; Python's integers have no limit."""
MIN_ITEM_BYTES = 4
"""Size of an element in bytes. Smaller types cannot count events."""


@dataclass(frozen=True, slots=True, eq=False)
class AffineArray:
    """An array of numbers a + b · l, given by its values at one event and at the most events."""

    at_one_event: Array
    at_max_events: Array

    @property
    def is_constant(self) -> bool:
        """Whether no number depends on the number of events."""
        return bool(np.all(self.at_one_event == self.at_max_events))

    def __getitem__(self, index: int) -> AffineArray:
        """Returns one of the numbers, as an array of length 1."""
        return AffineArray(self.at_one_event[index : index + 1], self.at_max_events[index : index + 1])

    def __sub__(self, other: AffineArray | int) -> AffineArray:
        """Subtracts at both extremes."""
        if isinstance(other, int):
            return AffineArray(self.at_one_event - other, self.at_max_events - other)
        return AffineArray(self.at_one_event - other.at_one_event, self.at_max_events - other.at_max_events)

    def __add__(self, other: AffineArray) -> AffineArray:
        """Adds at both extremes."""
        return AffineArray(self.at_one_event + other.at_one_event, self.at_max_events + other.at_max_events)

    def is_never_positive(self) -> bool:
        """Returns whether all numbers are at most 0 at every length."""
        # Affine numbers are monotonic, so their values at the two extremes bound all others.
        return bool(np.all(self.at_one_event <= 0) and np.all(self.at_max_events <= 0))

    def is_always_zero(self) -> bool:
        """Returns whether all numbers are 0 at every length."""
        return bool(np.all(self.at_one_event == 0) and np.all(self.at_max_events == 0))

    def negativity_is_fixed(self) -> Array:
        """Returns for each number whether `< 0` has the same truth value at every length."""
        return np.asarray((self.at_one_event < 0) == (self.at_max_events < 0))

    def positivity_is_fixed(self) -> Array:
        """Returns for each number whether `> 0` has the same truth value at every length."""
        return np.asarray((self.at_one_event > 0) == (self.at_max_events > 0))


def fit_affine(arrays: Sequence[Array], lengths: Sequence[int], max_events: int) -> AffineArray | None:
    """Fits a + b · l to an array that was seen at three lengths or more.

    Returns:
        The affine array, or None if the values are not whole numbers or not affine in the length.
    """
    if len({array.shape for array in arrays}) > 1 or not all(map(_holds_whole_numbers, arrays)):
        return None
    # Python's integers, because sums of the extremes that exporters write overflow 64 bits.
    start, near, *others = (np.asarray(to_python_integers(array), dtype=object) for array in arrays)
    rise, span = near - start, lengths[1] - lengths[0]
    # A fractional slope means that something was rounded, by a cast if not by the graph itself: not affine.
    if np.any(rise % span):
        return None

    def at(length: int) -> Array:
        return np.asarray(start + rise // span * (length - lengths[0]), dtype=object)

    if any(np.any(at(length) != seen) for length, seen in zip(lengths[2:], others, strict=True)):
        return None
    return AffineArray(at(1), at(max_events))


def sequence_length(max_events: int) -> AffineArray:
    """Returns the number of events itself: 1 · l."""
    return AffineArray(np.array([1], dtype=object), np.array([max_events], dtype=object))


def _holds_whole_numbers(array: Array) -> bool:
    if array.dtype.kind not in "iuf" or array.dtype.itemsize < MIN_ITEM_BYTES:
        return False
    return bool(np.isfinite(array).all() and (array == np.floor(array)).all())
