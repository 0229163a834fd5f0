"""The values that a cell could have had instead, and how large each change is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isnan

import numpy as np
from numpy.typing import NDArray
from sequela_client.alert_document.material import Material
from sequela_client.alert_document.parts import Edit
from sequela_client.feature_values.columns import GROUP, FeatureColumn, category_name
from sequela_client.feature_values.display import number_display, rounded
from sequela_client.feature_values.standings import Population, standing
from sequela_client.resources import ModelFeature

QUANTILES = tuple(range(5, 100, 5))
"""The percentiles of other alerts' values that are tried, besides the account's own earlier values."""
MIN_REFERENCE_EVENTS = 20
"""With fewer events of other alerts, the events of the sequence itself say what is usual."""


@dataclass(frozen=True, slots=True)
class CellChange:
    """Another value of one cell.

    Args:
        edit: the cell and its new value, as people read it.
        size: by how many percentile points it moves; a category counts half of 100 − its share.
        last: whether it is named last, since nobody can change it: it is fixed, static, or the same at all events.
    """

    edit: Edit
    size: float
    last: bool


def cell_changes(material: Material) -> list[list[CellChange]]:
    """Returns the changes of each cell of the unpruned events, the smallest first; cells without any are left out."""
    cells = [_cell(material, column, t) for column, t in _cells(material)]
    return [sorted(each, key=lambda change: change.size) for each in cells if each]


def _cells(material: Material) -> Iterator[tuple[FeatureColumn, int]]:
    table = material.table
    assert table is not None
    for t in range(0, material.oldest_unpruned - 1, -1):
        yield from ((column, t) for column in table.columns.values() if column.feature.kind != GROUP)
    yield from ((column, 0) for column in table.static.values() if column.feature.kind != GROUP)


def _cell(material: Material, column: FeatureColumn, t: int) -> list[CellChange]:
    feature = column.feature
    row = 0 if feature.static else len(column.codes) - 1 + t
    usual = _usual(material, column)
    last = feature.static or feature.name in material.fixed_features or column.is_constant
    changes = _numbers(column, row, usual) if column.has_order else _categories(column, row, usual)
    return [CellChange(Edit(t, feature.name, to), size, last) for to, size in changes]


def _usual(material: Material, column: FeatureColumn) -> Population:
    """Returns the values that say what is usual."""
    others = material.reference.values(column.feature.name)
    return Population(others) if len(others) >= MIN_REFERENCE_EVENTS else Population.of(column.codes)


def _numbers(column: FeatureColumn, row: int, usual: Population) -> Iterator[tuple[float, float]]:
    """Yields numbers in people's units, and how far each is from the present one."""
    display = number_display(column.feature)
    present = float(column.codes[row])
    seen = {None if isnan(present) else rounded(display, present)}
    for code in (*_earlier(column.codes[:row]), *_quantiles(usual.values)):
        to = rounded(display, code)
        # What is scored is the number that people read, not one with more digits.
        encoded = display.encoded(to)
        if to not in seen and not isnan(encoded):
            seen.add(to)
            yield to, abs(_percent(encoded, usual) - _percent(present, usual))


def _categories(column: FeatureColumn, row: int, usual: Population) -> Iterator[tuple[str, float]]:
    """Yields categories that occur, and half of 100 − the share of each."""
    present = column.codes[row]
    for code in sorted({*_known(column.codes[:row]), *_known(usual.values)}):
        if code != present and _is_named(column.feature, code):
            found = standing(code, False, usual)
            yield category_name(column.feature, code), (100.0 - (found.percent if found else 0.0)) / 2


def _earlier(codes: NDArray[np.floating]) -> list[float]:
    """Returns the account's earlier values; if there are many, some from the smallest to the largest."""
    known = _known(codes)
    return known if len(known) <= len(QUANTILES) else _quantiles(np.array(known))


def _quantiles(values: NDArray[np.floating]) -> list[float]:
    """Returns values that occur, so that whole numbers stay whole."""
    if not len(values):
        return []
    return [float(each) for each in np.percentile(values, QUANTILES, method="inverted_cdf")]


def _percent(code: float, usual: Population) -> float:
    """Returns where a number stands, from 0 to 100; the middle for a missing one."""
    found = standing(code, True, usual)
    return found.percent if found else 50.0


def _known(codes: NDArray[np.floating]) -> list[float]:
    return [float(each) for each in np.unique(codes[~np.isnan(codes)])]


def _is_named(feature: ModelFeature, code: float) -> bool:
    """Whether an edit can name this category."""
    return code < len(feature.categories) if feature.categories else code >= 0
