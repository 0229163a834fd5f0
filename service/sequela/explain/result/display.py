"""Formats values for people: numbers in their own unit, ids and one-hot columns as the name of their category."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela.explain.layout import Layout
from sequela.explain.schema import Display, FeatureKind, FeatureSchema, Transform
from sequela.timeshap.cells import Cells

MISSING = "missing"
_DEFAULT = Display()


def event_values(layout: Layout, cells: Cells, rows: Sequence[int]) -> list[tuple[str, ...]]:
    """Returns the values of some events, each in the order of the event features. Rows count from the oldest event."""
    picked = np.array(rows, dtype=np.intp)
    values = {item.name: array[picked] for item, array in zip(layout.events, cells.events, strict=True)}
    features = layout.features[: layout.columns.features]
    # A feature at a time, so that its kind and its display are looked at once, and numbers are scaled as arrays.
    return list(zip(*(_texts(feature, values) for feature in features), strict=True))


def static_values(layout: Layout, cells: Cells) -> tuple[str, ...]:
    """Returns the values of the static features, in their order."""
    values = {item.name: array[np.newaxis] for item, array in zip(layout.static, cells.static, strict=True)}
    return tuple(_texts(feature, values)[0] for feature in layout.features[layout.columns.features :])


def _texts(feature: FeatureSchema, values: dict[str, NDArray[Any]]) -> list[str]:
    """Returns a feature's values as texts, one for each row of `values`, (rows, width) by input."""
    columns = [values[name][:, column] for name, picked in feature.columns.items() for column in picked]
    if not columns:
        return [MISSING] * len(next(iter(values.values())))
    match feature.kind:
        case FeatureKind.CATEGORICAL:
            return [_category(feature, each) for each in columns[0].tolist()]
        case FeatureKind.ONE_HOT:
            return _hot_categories(feature, np.stack(columns, axis=1))
        case FeatureKind.NUMERIC | FeatureKind.GROUP:
            texts = [_numbers(feature.display, column) for column in columns]
            return texts[0] if len(texts) == 1 else [_joined(each) for each in zip(*texts, strict=True)]


def _category(feature: FeatureSchema, value: float) -> str:
    if math.isnan(value):
        return MISSING
    index = int(value)
    known = 0 <= index < len(feature.categories)
    return feature.categories[index] if known else str(index)


def _hot_categories(feature: FeatureSchema, hot: NDArray[Any]) -> list[str]:
    known = np.nan_to_num(hot)
    texts = [_category(feature, index) for index in np.argmax(known, axis=1).tolist()]
    for row in np.flatnonzero(~known.any(axis=1)):
        texts[row] = MISSING if np.isnan(hot[row]).all() else "none"
    return texts


def _joined(texts: Sequence[str]) -> str:
    return MISSING if all(text == MISSING for text in texts) else ", ".join(texts)


def _numbers(display: Display, column: NDArray[Any]) -> list[str]:
    if column.dtype == np.bool_:
        return ["yes" if value else "no" for value in column.tolist()]
    raw = display.mean + display.scale * column.astype(np.float64)
    if display.transform is Transform.LOG1P:
        raw = np.expm1(raw)
    return [_number(display, value) for value in raw.tolist()]


def _number(display: Display, raw: float) -> str:
    if math.isnan(raw):
        return MISSING
    shown = f"{raw:,.{display.decimals}f}"
    if abs(raw) >= 10.0**-display.decimals or float(shown.replace(",", "")) != 0:
        return shown
    # A small value would be shown as 0. With the default number of decimals, show three significant digits.
    return f"{raw:.3g}" if raw and display == _DEFAULT else shown.removeprefix("-")
