"""The levels of an attribute: its words, its numbers, or bins of its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sequela_console.cohort_files.feature_schema import CohortFeatureInfo
from sequela_console.cohorts.attribute_values import AttributeValues, Floats, Numbers
from sequela_console.cohorts.event_spec import EventSpec
from sequela_console.cohorts.number_bins import NumberBins, number_bins, number_text

NO_LEVEL = 255
"""The level of an event that has no value of an attribute."""

MOST_LEVELS = 254
MOST_NUMBERS = 12
"""A numeric attribute with at most this many different values, such as a count, has a level for each."""
OTHER = "other"


@dataclass(frozen=True, slots=True)
class GridAttribute:
    """An attribute with its levels.

    Args:
        name: the name of the feature.
        label: its name for people.
        unit: the unit of its values.
        kind: categorical (words), ordinal (few different numbers) or numeric (bins).
        levels: what the levels are called, in ascending order.
        edges: of a numeric attribute the ends of its bins, one more than levels; empty otherwise.
        note: how its bins differ from what was asked for; empty if they do not.
    """

    name: str
    label: str
    unit: str
    kind: str
    levels: tuple[str, ...]
    edges: tuple[float, ...] = ()
    note: str = ""


def attribute_levels(
    values: AttributeValues, position: int, spec: EventSpec
) -> tuple[GridAttribute, NDArray[np.uint8]]:
    """Returns an attribute, and the level of each event."""
    feature = values.features[position]
    if feature.kind != "numeric":
        return _words(feature, *values.words(position))
    numbers = values.numbers(position)
    known = numbers[np.isfinite(numbers)]
    different = np.unique(known)
    if len(different) <= MOST_NUMBERS:
        return _few_numbers(feature, numbers, different)
    return _bins(feature, numbers, number_bins(known, spec.bins, spec.bin_count))


def _words(
    feature: CohortFeatureInfo, words: Sequence[str], numbers: Numbers
) -> tuple[GridAttribute, NDArray[np.uint8]]:
    """Orders words as the schema does, with the words that it lacks at the end, and puts the rarest together."""
    counts = np.bincount(numbers[numbers >= 0], minlength=len(words))
    ranks = {word: rank for rank, word in enumerate(feature.categories)}
    used = [each for each in range(len(words)) if counts[each]]
    used.sort(key=lambda each: (ranks.get(words[each], len(ranks)), _natural(words[each])))
    kept = _frequent(used, counts)
    level = np.full(len(words) + 1, NO_LEVEL, np.uint8)
    level[used] = len(kept)
    level[kept] = np.arange(len(kept), dtype=np.uint8)
    names = (*(words[each] for each in kept), *((OTHER,) if len(kept) < len(used) else ()))
    return _attribute(feature, "categorical", names), level[numbers]


def _natural(word: str) -> tuple[float, str]:
    """Sorts words that are numbers by their value, and before all others."""
    try:
        return float(word), word
    except ValueError:
        return np.inf, word


def _frequent(used: list[int], counts: Numbers) -> list[int]:
    if len(used) <= MOST_LEVELS:
        return used
    most = set(sorted(used, key=lambda each: -counts[each])[: MOST_LEVELS - 1])
    return [each for each in used if each in most]


def _few_numbers(
    feature: CohortFeatureInfo, numbers: Floats, different: Floats
) -> tuple[GridAttribute, NDArray[np.uint8]]:
    levels = np.searchsorted(different, numbers)
    names = tuple(number_text(each) for each in different)
    return _attribute(feature, "ordinal", names), _with_gaps(levels, numbers)


def _bins(
    feature: CohortFeatureInfo, numbers: Floats, bins: NumberBins
) -> tuple[GridAttribute, NDArray[np.uint8]]:
    attribute = replace(
        _attribute(feature, "numeric", bins.names), edges=tuple(bins.edges.tolist()), note=bins.note
    )
    return attribute, _with_gaps(bins.places(numbers), numbers)


def _with_gaps(levels: NDArray[np.intp], numbers: Floats) -> NDArray[np.uint8]:
    return np.where(np.isfinite(numbers), levels, NO_LEVEL).astype(np.uint8)


def _attribute(feature: CohortFeatureInfo, kind: str, levels: Sequence[str]) -> GridAttribute:
    return GridAttribute(feature.name, feature.label, feature.unit, kind, tuple(levels))
