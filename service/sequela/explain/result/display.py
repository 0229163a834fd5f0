"""Formats values for people: numbers in their own unit, ids and one-hot columns as the name of their category."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela.explain.layout import Layout
from sequela.explain.schema import Display, FeatureKind, FeatureSchema, Transform
from sequela.timeshap.cells import Cells

MISSING = "missing"


def event_values(layout: Layout, cells: Cells, row: int) -> tuple[str, ...]:
    """Returns the values of one event, in the order of the event features. `row` counts from the oldest event."""
    values = {item.name: rows[row] for item, rows in zip(layout.events, cells.events, strict=True)}
    return tuple(_shown(feature, values) for feature in layout.features[: layout.columns.features])


def static_values(layout: Layout, cells: Cells) -> tuple[str, ...]:
    """Returns the values of the static features, in their order."""
    values = {item.name: array for item, array in zip(layout.static, cells.static, strict=True)}
    return tuple(_shown(feature, values) for feature in layout.features[layout.columns.features :])


def _shown(feature: FeatureSchema, values: dict[str, NDArray[Any]]) -> str:
    columns = [values[name][column] for name, picked in feature.columns.items() for column in picked]
    if all(map(_is_missing, columns)):
        return MISSING
    match feature.kind:
        case FeatureKind.CATEGORICAL:
            return _category(feature, int(columns[0]))
        case FeatureKind.ONE_HOT:
            return (
                _category(feature, int(np.argmax(np.nan_to_num(columns))))
                if np.nansum(np.abs(columns))
                else "none"
            )
        case FeatureKind.NUMERIC | FeatureKind.GROUP:
            return ", ".join(_number(feature.display, value) for value in columns)


def _is_missing(value: Any) -> bool:
    return bool(np.isnan(value))


def _category(feature: FeatureSchema, index: int) -> str:
    known = 0 <= index < len(feature.categories)
    return feature.categories[index] if known else str(index)


def _number(display: Display, value: Any) -> str:
    if _is_missing(value):
        return MISSING
    if isinstance(value, np.bool_):
        return "yes" if value else "no"
    raw = display.mean + display.scale * float(value)
    if display.transform is Transform.LOG1P:
        raw = float(np.expm1(raw))
    shown = f"{raw:,.{display.decimals}f}"
    if float(shown.replace(",", "")) != 0:
        return shown
    # A small value would be shown as 0. With the default number of decimals, show three significant digits.
    return f"{raw:.3g}" if raw and display == Display() else shown.removeprefix("-")
