"""Warns if raw values were sent to a model that takes standardised values, using the schema's `display`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela.explain.explanation import ExplanationWarning
from sequela.explain.layout import Layout
from sequela.explain.object_cache import kept_for_object
from sequela.explain.schema import Display, FeatureKind, Transform
from sequela.timeshap.cells import Cells

MIN_SUSPECT_DEVIATIONS = 10.0
"""If the median of a column is more standard deviations from the mean than this, its values are not standardised."""
MAX_USUAL_DEVIATIONS = 5.0
"""If the same values, read as raw, lie within this many standard deviations of the mean, they are plausible."""
MIN_RAW_SHARE = 0.5
"""Share of the suspect columns that must be plausible as raw values."""


@dataclass(frozen=True, slots=True, eq=False)
class _Standardised:
    """A column that the schema's display says is standardised.

    Attributes:
        feature: The name of its feature.
        place: The place of its input in `Cells.events`, and its own in the input.
        display: Its display.
    """

    feature: str
    place: tuple[int, int]
    display: Display

    def values(self, cells: Cells) -> NDArray[np.float64]:
        """Returns the column, (l,)."""
        item, column = self.place
        return cells.events[item][:, column].astype(np.float64)


def raw_value_warnings(layout: Layout, cells: Cells) -> Iterator[ExplanationWarning]:
    """Yields a warning about columns whose values are too large to be standardised but plausible as raw values."""
    columns = _standardised(layout)
    # Nearly always no column is suspect, which one sort of all of them shows.
    sizes = _median_sizes(np.array([each.values(cells) for each in columns])) if columns else ()
    suspect = [each for each, size in zip(columns, sizes, strict=True) if size > MIN_SUSPECT_DEVIATIONS]
    raw = [
        (each.feature, each.values(cells))
        for each in suspect
        if _median_size(_standardise(each.values(cells), each.display)) < MAX_USUAL_DEVIATIONS
    ]
    if raw and len(raw) > len(suspect) * MIN_RAW_SHARE:
        name, column = raw[0]
        text = (
            f"The values of {', '.join(dict.fromkeys(name for name, _ in raw))} look raw. According to its "
            "schema's display, "
            f"the model takes standardised values, and {column[-1]:g}, the last {name}, is {abs(column[-1]):.0f} "
            "standard deviations from the mean. Send values scaled in the same way as for training."
        )
        yield ExplanationWarning("VALUES_NOT_STANDARDISED", text)


@kept_for_object
def _standardised(layout: Layout) -> tuple[_Standardised, ...]:
    """Returns the columns that the schema says are standardised, in the order of the features."""
    places = {item.name: place for place, item in enumerate(layout.events)}
    return tuple(
        _Standardised(feature.name, (places[name], column), feature.display)
        for feature in layout.features[: layout.columns.features]
        # A mean of 0 and a scale of 1 are the defaults, which do not say that values are standardised.
        if feature.kind is FeatureKind.NUMERIC and (feature.display.mean, feature.display.scale) != (0, 1)
        for name, picked in feature.columns.items()
        for column in picked
    )


def _median_sizes(columns: NDArray[np.float64]) -> list[float]:
    """Returns the median of |values| of each column (n, l), ignoring NaN."""
    sizes = np.abs(columns)
    if not np.isfinite(sizes).all():
        return [_median_size(column) for column in columns]
    sizes.sort(axis=1)
    # The mean of the two values in the middle, which are the same one if their number is odd.
    last = sizes.shape[1] - 1
    medians: list[float] = ((sizes[:, last // 2] + sizes[:, (last + 1) // 2]) / 2).tolist()
    return medians


def _median_size(column: NDArray[np.float64]) -> float:
    """Returns the median of |values|, ignoring NaN."""
    known = np.abs(column[np.isfinite(column)])
    return float(np.median(known)) if known.size else 0.0


def _standardise(column: NDArray[np.float64], display: Display) -> NDArray[Any]:
    if display.transform is Transform.LOG1P:
        column = np.log1p(np.maximum(column, 0.0))
    return (column - display.mean) / display.scale
