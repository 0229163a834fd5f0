"""The bins of a numeric attribute. A number that is very frequent, such as 0, has a bin of its own."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import floor, log10

import numpy as np
from numpy.typing import NDArray

from sequela_console.cohorts.event_spec import BinKind

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]

_MOST_DIGITS = 12
# Larger whole numbers are amounts, whose bins have rounded names.
_LARGEST_COUNT = 1000


@dataclass(frozen=True, slots=True)
class NumberBins:
    """Bins of numbers. A number on an edge belongs to the bin above it; the last bin has both of its ends.

    Args:
        edges: the ends, one more than there are bins.
        alone: the numbers that have a bin of their own, which begins at them.
        asked: how many bins were asked for.
        whole: whether all numbers are whole and small enough to be counts.
    """

    edges: Floats
    alone: tuple[float, ...]
    asked: int
    whole: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the bins, with as many digits as tell the edges apart; counts as "2 to 3"."""
        texts = _edge_texts(self.edges)
        names = _whole_names(self.edges) if self.whole else _names(texts)
        for place in np.searchsorted(self.edges[:-1], self.alone):
            names[place] = texts[place]
        return tuple(names)

    @property
    def note(self) -> str:
        """How they differ from what was asked for; empty if they do not."""
        count = len(self.edges) - 1
        listed = ", ".join(map(number_text, self.alone))
        notes = [f"So frequent that it has a bin of its own: {listed}."] if self.alone else []
        if count < self.asked:
            notes.append(f"{count} of {self.asked} bins, since many events have equal values.")
        return " ".join(notes)

    def places(self, numbers: Floats) -> NDArray[np.intp]:
        """Returns the bin of each number."""
        return np.searchsorted(self.edges[1:-1], numbers, side="right")


def _names(texts: list[str]) -> list[str]:
    names = [f"{low} to <{high}" for low, high in pairwise(texts)]
    names[-1] = names[-1].replace("<", "")
    return names


def _whole_names(edges: Floats) -> list[str]:
    """Returns the first and the last whole number of each bin."""
    firsts = np.ceil(edges[:-1])
    lasts = np.append(np.ceil(edges[1:-1]) - 1, np.floor(edges[-1]))
    if np.any(firsts > lasts):
        # Bins narrower than 1 may have no whole number inside.
        return _names(_edge_texts(edges))
    return [
        number_text(first) if first == last else f"{number_text(first)} to {number_text(last)}"
        for first, last in zip(firsts, lasts, strict=True)
    ]


def _counts(numbers: Floats) -> bool:
    return bool(np.all(numbers == np.floor(numbers)) and np.abs(numbers).max() <= _LARGEST_COUNT)


def number_bins(known: Floats, kind: BinKind, count: int) -> NumberBins:
    """Returns bins of equal width, or with about as many numbers in each."""
    if kind is BinKind.WIDTH:
        return NumberBins(np.linspace(known.min(), known.max(), count + 1), (), count, _counts(known))
    different, counts = np.unique(known, return_counts=True)
    alone = _frequent(counts, count)
    segments = _segments(alone)
    sizes = [int(counts[each].sum()) for each in segments]
    starts = [
        _starts(np.repeat(different[each], counts[each]), bins)
        for each, bins in zip(segments, _shared_out(sizes, count - int(alone.sum())), strict=True)
    ]
    edges = np.sort(np.concatenate([different[alone], *starts, different[-1:]]))
    return NumberBins(edges, tuple(different[alone].tolist()), count, _counts(different))


def _frequent(counts: Numbers, bins: int) -> Flags:
    """Returns which numbers occur more often than an average bin of the numbers that share bins."""
    alone = np.zeros(len(counts), np.bool_)
    while True:
        found = ~alone & (counts * (bins - alone.sum()) > counts[~alone].sum())
        if not found.any():
            break
        alone |= found
    # Such a number in the middle divides the others into segments, and each segment needs a bin.
    while alone.sum() + len(_segments(alone)) > bins:
        alone[np.argmin(np.where(alone, counts, counts.sum() + 1))] = False
    return alone


def _segments(alone: Flags) -> list[NDArray[np.intp]]:
    """Returns the runs of numbers between those that are alone."""
    rest = np.flatnonzero(~alone)
    return [each for each in np.split(rest, np.flatnonzero(np.diff(rest) > 1) + 1) if len(each)]


def _shared_out(sizes: list[int], bins: int) -> list[int]:
    """Shares bins out, at least one to each segment, and each further one where bins are fullest."""
    shares = [1] * len(sizes)
    for _ in range(bins - len(sizes) if sizes else 0):
        fullest = max(range(len(sizes)), key=lambda each: sizes[each] / shares[each])
        shares[fullest] += 1
    return shares


def _starts(numbers: Floats, bins: int) -> Floats:
    """Returns the lower ends of bins with about as many numbers in each. Equal ends are one."""
    return np.unique(np.quantile(numbers, np.linspace(0, 1, bins + 1))[:-1])


def _edge_texts(edges: Floats) -> list[str]:
    different = len(np.unique(edges))
    texts: list[str] = []
    for digits in range(3, _MOST_DIGITS):
        texts = [number_text(each, digits) for each in edges]
        if len(set(texts)) == different:
            break
    return texts


def number_text(number: float, digits: int = _MOST_DIGITS) -> str:
    """Returns a number with this many significant digits, without an exponent and without zeros at its end."""
    rounded = float(f"{number:.{digits}g}")
    places = max(0, digits - 1 - floor(log10(abs(rounded)))) if rounded else 0
    text = f"{rounded:,.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
