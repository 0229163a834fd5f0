"""Raw values sent to a model of standardised ones: a schema's `display` tells the one from the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela.explain.layout import Layout
from sequela.explain.result.explanation import ExplanationWarning
from sequela.explain.schema import Display, FeatureKind, Transform
from sequela.timeshap.cells import Cells

FAR = 10.0
"""Standard deviations from the mean at which the median of a sequence's values is no standardised value."""
NEAR = 5.0
"""Standard deviations within which the same values, taken as raw ones, are ordinary."""
SHARE = 0.5
"""Of the columns that are far: more of them must be ordinary as raw values."""


def raw_values(layout: Layout, cells: Cells) -> Iterator[ExplanationWarning]:
    """Where columns lie far from all that a standardised column holds, and would be ordinary before standardising."""
    values = {item.name: rows for item, rows in zip(layout.events, cells.events, strict=True)}
    far, raw = 0, []
    for feature in layout.features[: layout.columns.features]:
        if feature.kind is not FeatureKind.NUMERIC or (feature.display.mean, feature.display.scale) == (0, 1):
            continue
        for name, picked in feature.columns.items():
            for column in values[name][:, list(picked)].T.astype(np.float64):
                if _middle(column) > FAR:
                    far += 1
                    raw += [(feature.name, column)] * (_middle(_standardised(column, feature.display)) < NEAR)
    if raw and len(raw) > far * SHARE:
        name, column = raw[0]
        text = (
            f"The values of {', '.join(dict.fromkeys(name for name, _ in raw))} look raw: the model takes standardised "
            f"values by its schema's display, by which {column[-1]:g}, the last {name}, lies {abs(column[-1]):.0f} "
            "standard deviations from the mean. Send what the model was trained on, scaled as it was then."
        )
        yield ExplanationWarning("VALUES_NOT_STANDARDISED", text)


def _middle(column: NDArray[np.float64]) -> float:
    known = np.abs(column[np.isfinite(column)])
    return float(np.median(known)) if known.size else 0.0


def _standardised(column: NDArray[np.float64], display: Display) -> NDArray[Any]:
    if display.transform is Transform.LOG1P:
        column = np.log1p(np.maximum(column, 0.0))
    return (column - display.mean) / display.scale
