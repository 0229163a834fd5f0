"""Warns of raw values that were sent to a model of standardised values. The schema's `display` tells them apart."""

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
"""Standard deviations from the mean beyond which the median of a column cannot be of standardised values."""
MAX_USUAL_DEVIATIONS = 5.0
"""Standard deviations within which the same values, if they are raw, are usual."""
MIN_RAW_SHARE = 0.5
"""Share of the suspect columns that must be usual as raw values."""


def raw_values(layout: Layout, cells: Cells) -> Iterator[ExplanationWarning]:
    """Warns of columns whose values are too large to be standardised, but would be usual before standardising."""
    values = {item.name: rows for item, rows in zip(layout.events, cells.events, strict=True)}
    suspect, raw = 0, []
    for feature in layout.features[: layout.columns.features]:
        if feature.kind is not FeatureKind.NUMERIC or (feature.display.mean, feature.display.scale) == (0, 1):
            continue
        for name, picked in feature.columns.items():
            for column in values[name][:, list(picked)].T.astype(np.float64):
                if _median_size(column) > MIN_SUSPECT_DEVIATIONS:
                    suspect += 1
                    if _median_size(_standardised(column, feature.display)) < MAX_USUAL_DEVIATIONS:
                        raw.append((feature.name, column))
    if raw and len(raw) > suspect * MIN_RAW_SHARE:
        name, column = raw[0]
        text = (
            f"The values of {', '.join(dict.fromkeys(name for name, _ in raw))} look raw: the model takes standardised "
            f"values by its schema's display, by which {column[-1]:g}, the last {name}, lies {abs(column[-1]):.0f} "
            "standard deviations from the mean. Send what the model was trained on, scaled as it was then."
        )
        yield ExplanationWarning("VALUES_NOT_STANDARDISED", text)


def _median_size(column: NDArray[np.float64]) -> float:
    """The median of |values|, without NaN."""
    known = np.abs(column[np.isfinite(column)])
    return float(np.median(known)) if known.size else 0.0


def _standardised(column: NDArray[np.float64], display: Display) -> NDArray[Any]:
    if display.transform is Transform.LOG1P:
        column = np.log1p(np.maximum(column, 0.0))
    return (column - display.mean) / display.scale
