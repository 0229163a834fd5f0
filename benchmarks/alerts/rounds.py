"""Rounds: everything is measured several times, with the versions in turn, so that a machine that gets slower or faster
meanwhile does so for all of them.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from benchmarks.effort import Effort

T = TypeVar("T")

FEWER = 1  # than the effort's repeats, since a round of this study is long


@dataclass(frozen=True, slots=True)
class Spread:
    """A median over rounds, with the least and the most."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        """Three digits, with the range in brackets if there are several rounds; a dash without a number."""
        if math.isnan(self.median):
            return "-"
        span = "" if self.least == self.most else f" ({_digits(self.least)}-{_digits(self.most)})"
        return f"{_digits(self.median)}{span}"


def rounds(effort: Effort) -> int:
    """Returns how often everything is measured."""
    return max(effort.repeats - FEWER, 1)


def in_turn(items: Sequence[T], number: int) -> Sequence[T]:
    """Returns the items in the order of a round, so that none is always the first."""
    return items[::-1] if number % 2 else items


def spread(values: Sequence[float]) -> Spread:
    """Returns the spread of values over rounds."""
    return Spread(statistics.median(values), min(values), max(values))


def ratios(above: Sequence[float], below: Sequence[float]) -> Spread:
    """Returns the spread of the ratios of two measurements, which were made side by side in each round."""
    return spread([one / other for one, other in zip(above, below, strict=True)])


def _digits(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"
