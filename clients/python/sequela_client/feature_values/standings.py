"""Where a value stands among other values."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isnan

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a value stands among others.

    Args:
        percent: of numbers the share of smaller ones, with half of those that are equal; of categories the share of
            equal ones; 0 to 100.
        rank: of numbers the rank from below, from 1; None for categories.
        n: how many it was compared with.
    """

    percent: float
    rank: int | None
    n: int


@dataclass(frozen=True, slots=True, eq=False)
class Population:
    """Known values of one feature, sorted. Values are compared as float32, so that equal inputs are equal here."""

    values: Codes

    @staticmethod
    def of(values: NDArray[np.floating]) -> Population:
        """Returns the population of these values, without those that are missing."""
        numbers = values.astype(np.float32)
        return Population(np.sort(numbers[~np.isnan(numbers)]))

    def below(self, code: float) -> int:
        """Returns how many are smaller."""
        return int(np.searchsorted(self.values, np.float32(code), side="left"))

    def equal(self, code: float) -> int:
        """Returns how many are equal."""
        return int(np.searchsorted(self.values, np.float32(code), side="right")) - self.below(code)


NOBODY = Population(np.empty(0, np.float32))


def standing(
    code: float, has_order: bool, among: Population, without: Population = NOBODY
) -> Standing | None:
    """Returns where a value stands.

    Args:
        code: the value.
        has_order: whether it is a number, not a category.
        among: the values that it is compared with.
        without: values that are part of `among`, and do not count.

    Returns:
        None if there is nothing to compare with, or the value is missing.
    """
    n = len(among.values) - len(without.values)
    if n <= 0 or isnan(code):
        return None
    equal = among.equal(code) - without.equal(code)
    if not has_order:
        return Standing(100.0 * equal / n, None, n)
    below = among.below(code) - without.below(code)
    return Standing(100.0 * (below + equal / 2) / n, below + 1, n)


def standings_among_earlier(codes: NDArray[np.float64], has_order: bool) -> list[Standing | None]:
    """Returns where each value stands among those before it."""
    earlier: list[float] = []
    found: list[Standing | None] = []
    for code in codes.tolist():
        found.append(None if isnan(code) or not earlier else _among(earlier, code, has_order))
        if not isnan(code):
            insort(earlier, code)
    return found


def _among(earlier: list[float], code: float, has_order: bool) -> Standing:
    below, n = bisect_left(earlier, code), len(earlier)
    equal = bisect_right(earlier, code) - below
    if not has_order:
        return Standing(100.0 * equal / n, None, n)
    return Standing(100.0 * (below + equal / 2) / n, below + 1, n)


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """The events of other sequences, by feature, that values are compared with.

    Args:
        populations: the values of each feature.
        without: the values of the sequence itself, which are part of them and do not count.
        events: how many events there are, without those of the sequence itself.
    """

    populations: Mapping[str, Population] = field(default_factory=dict)
    without: Mapping[str, Population] = field(default_factory=dict)
    events: int = 0

    def standing(self, feature: str, code: float, has_order: bool) -> Standing | None:
        """Returns where a value of a feature stands among those of other sequences."""
        among = self.populations.get(feature, NOBODY)
        return standing(code, has_order, among, self.without.get(feature, NOBODY))

    def values(self, feature: str) -> Codes:
        """Returns the values of other sequences, sorted."""
        among, own = self.populations.get(feature, NOBODY), self.without.get(feature, NOBODY)
        return _difference(among.values, own.values)


def _difference(values: Codes, removed: Codes) -> Codes:
    """Returns sorted values without one of each of the removed ones."""
    if not len(removed):
        return values
    unique, counts = np.unique(removed, return_counts=True)
    starts = np.searchsorted(values, unique, side="left")
    drop = np.concatenate(
        [np.arange(start, start + count) for start, count in zip(starts, counts, strict=True)]
    )
    return np.delete(values, drop)
