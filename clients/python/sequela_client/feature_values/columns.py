"""The values of one feature at the events of a sequence."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan, nan
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sequela_client.feature_values.display import MISSING, number_display, rounded

if TYPE_CHECKING:
    from sequela_client.resources import ModelFeature

NUMERIC, CATEGORICAL, ONE_HOT, GROUP = "numeric", "categorical", "one_hot", "group"
NO_CATEGORY = "none"
"""What the service shows for a one-hot feature without a 1."""


@dataclass(frozen=True, slots=True, eq=False)
class FeatureColumn:
    """One feature at all events, oldest first.

    Args:
        feature: what the model says about it.
        raw: the model's numbers (l, k), in the type in which they were sent.
        codes: one number for each event (l): the number itself, the id of the category, or the place of the one-hot
            column (-1 for none); NaN if it is missing, and for groups, which have no single number.
    """

    feature: ModelFeature
    raw: NDArray[Any]
    codes: NDArray[np.float64]

    @property
    def has_order(self) -> bool:
        """Whether its values have an order: it holds numbers, not categories."""
        return self.feature.kind == NUMERIC

    @property
    def is_constant(self) -> bool:
        """Whether it is the same at all events."""
        return bool(np.all((self.raw == self.raw[:1]) | (_missing(self.raw) & _missing(self.raw[:1]))))

    def text(self, row: int) -> str:
        """Returns the value at an event as people read it, without its unit."""
        values = self.raw[row]
        if _missing(values).all():
            return MISSING
        if self.feature.kind in (CATEGORICAL, ONE_HOT):
            return category_name(self.feature, self.codes[row])
        return ", ".join(map(number_display(self.feature).text, values))

    def text_with_unit(self, row: int) -> str:
        """Returns the value at an event as people read it, with its unit."""
        return with_unit(self.feature, self.text(row))

    def number(self, row: int) -> float | None:
        """Returns the value in people's units, as it is printed; None for categories, groups and missing values."""
        code = float(self.codes[row])
        if not self.has_order or isnan(code) or self.raw.dtype == np.bool_:
            return None
        return rounded(number_display(self.feature), code)


def feature_column(feature: ModelFeature, raw: NDArray[Any]) -> FeatureColumn:
    """Returns a feature with its columns (l, k)."""
    return FeatureColumn(feature, raw, _codes(feature, raw))


def category_name(feature: ModelFeature, code: float) -> str:
    """Returns the name of a category, or its id if it has no name."""
    if isnan(code):
        return MISSING
    if feature.kind == ONE_HOT and code < 0:
        return NO_CATEGORY
    index = int(code)
    return feature.categories[index] if 0 <= index < len(feature.categories) else str(index)


def with_unit(feature: ModelFeature, text: str) -> str:
    """Returns a text with the feature's unit, if it has one and the text is a value."""
    return f"{text} {feature.unit}" if feature.unit and text != MISSING else text


def _codes(feature: ModelFeature, raw: NDArray[Any]) -> NDArray[np.float64]:
    values = raw.astype(np.float64)
    if feature.kind == ONE_HOT:
        known = np.nan_to_num(values)
        codes = np.where(np.abs(known).sum(axis=1) > 0, known.argmax(axis=1), -1).astype(np.float64)
        return np.where(_missing(values).all(axis=1), nan, codes)
    if feature.kind == GROUP or values.shape[1] != 1:
        return np.full(len(values), nan)
    return values[:, 0]


def _missing(values: NDArray[Any]) -> NDArray[np.bool_]:
    return np.isnan(values.astype(np.float64))
