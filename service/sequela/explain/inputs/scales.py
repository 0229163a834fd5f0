"""Warns if raw values were sent to a model that takes standardised values, using the schema's `display`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela.explain.explanation import ExplanationWarning
from sequela.explain.layout import Layout
from sequela.explain.schema import Display, FeatureKind, Transform
from sequela.timeshap.cells import Cells

MIN_SUSPECT_DEVIATIONS = 10.0
"""If the median of a column is more standard deviations from the mean than this, its values are not standardised."""
MAX_USUAL_DEVIATIONS = 5.0
"""If the same values, read as raw, lie within this many standard deviations of the mean, they are plausible."""
MIN_RAW_SHARE = 0.5
"""Share of the suspect columns that must be plausible as raw values."""


def raw_value_warnings(layout: Layout, cells: Cells) -> Iterator[ExplanationWarning]:
    """Yields a warning about columns whose values are too large to be standardised but plausible as raw values."""
    values = {item.name: rows for item, rows in zip(layout.events, cells.events, strict=True)}
    suspect, raw = 0, []
    for feature in layout.features[: layout.columns.features]:
        # A mean of 0 and a scale of 1 are the defaults, which do not say that values are standardised.
        if feature.kind is not FeatureKind.NUMERIC or (feature.display.mean, feature.display.scale) == (0, 1):
            continue
        for name, picked in feature.columns.items():
            for column in values[name][:, list(picked)].T.astype(np.float64):
                if _median_size(column) > MIN_SUSPECT_DEVIATIONS:
                    suspect += 1
                    if _median_size(_standardise(column, feature.display)) < MAX_USUAL_DEVIATIONS:
                        raw.append((feature.name, column))
    if raw and len(raw) > suspect * MIN_RAW_SHARE:
        name, column = raw[0]
        text = (
            f"The values of {', '.join(dict.fromkeys(name for name, _ in raw))} look raw. According to its "
            "schema's display, "
            f"the model takes standardised values, and {column[-1]:g}, the last {name}, is {abs(column[-1]):.0f} "
            "standard deviations from the mean. Send values scaled in the same way as for training."
        )
        yield ExplanationWarning("VALUES_NOT_STANDARDISED", text)


def _median_size(column: NDArray[np.float64]) -> float:
    """Returns the median of |values|, ignoring NaN."""
    known = np.abs(column[np.isfinite(column)])
    return float(np.median(known)) if known.size else 0.0


def _standardise(column: NDArray[np.float64], display: Display) -> NDArray[Any]:
    if display.transform is Transform.LOG1P:
        column = np.log1p(np.maximum(column, 0.0))
    return (column - display.mean) / display.scale
