"""Changes single values of a sequence, given in people's units."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sequela_client.alert_document.parts import Edit
from sequela_client.feature_values.columns import CATEGORICAL, GROUP, NO_CATEGORY, NUMERIC, ONE_HOT
from sequela_client.feature_values.display import number_display
from sequela_client.feature_values.feature_table import FeatureTable, model_inputs
from sequela_client.inputs import EventInfo, Sequence
from sequela_client.resources import Model, ModelFeature

from sequela_console.http.errors import bad_request


def edited(sequence: Sequence, model: Model, table: FeatureTable, edits: Iterable[Edit]) -> Sequence:
    """Returns the sequence with changed values, and without the caller's texts about them.

    Raises:
        ApiError: an edit names no cell of the sequence, or a value that the cell cannot have.
    """
    inputs = {name: array.copy() for name, array in model_inputs(sequence, model).items()}
    features = {each.name: each for each in model.features}
    events = list(sequence.events)
    for place, edit in enumerate(edits):
        feature = _feature(features, edit, place)
        row = _row(table, feature, edit, place)
        _write(inputs, feature, row, edit, place)
        if events and not feature.static:
            events[table.row(edit.t)] = _without_text(events[table.row(edit.t)], feature)
    return replace(sequence, inputs=inputs, events=tuple(events))


def _feature(features: Mapping[str, ModelFeature], edit: Edit, place: int) -> ModelFeature:
    feature = features.get(edit.feature)
    if feature is None:
        raise _wrong(place, "feature", f"the model has no feature {edit.feature[:80]!r}")
    if feature.kind == GROUP:
        raise _wrong(place, "feature", f"{edit.feature!r} has several columns that only make sense together")
    return feature


def _row(table: FeatureTable, feature: ModelFeature, edit: Edit, place: int) -> int:
    if feature.static:
        return 0
    length = len(table.rows)
    if not -length < edit.t <= 0:
        raise _wrong(place, "t", f"must be from {1 - length} to 0, not {edit.t}")
    return int(table.rows[table.row(edit.t)])


def _write(
    inputs: Mapping[str, NDArray[Any]], feature: ModelFeature, row: int, edit: Edit, place: int
) -> None:
    (name, columns), *_ = feature.columns.items()
    cells = inputs[name][row]
    if feature.kind == NUMERIC:
        cells[columns[0]] = _number(feature, cells.dtype, edit, place)
    elif feature.kind == CATEGORICAL:
        cells[columns[0]] = _category(feature, edit, place)
    elif feature.kind == ONE_HOT:
        chosen = -1 if edit.to == NO_CATEGORY else _category(feature, edit, place)
        cells[list(columns)] = [index == chosen for index in range(len(columns))]


def _number(feature: ModelFeature, dtype: np.dtype[Any], edit: Edit, place: int) -> float:
    if isinstance(edit.to, str) or not isfinite(edit.to):
        raise _wrong(place, "to", f"{feature.name!r} needs a finite number")
    value = number_display(feature).encoded(edit.to)
    limit = float(np.finfo(np.float32).max if dtype.kind == "f" else np.iinfo(np.int32).max)
    if not isfinite(value) or abs(value) > limit:
        raise _wrong(place, "to", f"{edit.to:g} is not a value that {feature.name!r} can have")
    return value if dtype.kind == "f" else round(value)


def _category(feature: ModelFeature, edit: Edit, place: int) -> int:
    if isinstance(edit.to, str) and edit.to in feature.categories:
        return feature.categories.index(edit.to)
    text = str(edit.to)
    if not feature.categories and text.removesuffix(".0").isdecimal() and len(text) < len("1000000000"):
        return int(float(text))
    allowed = ", ".join(feature.categories[:20]) or "the ids of categories"
    raise _wrong(place, "to", f"{str(edit.to)[:80]!r} is not a value of {feature.name!r}; allowed: {allowed}")


def _without_text(event: EventInfo, feature: ModelFeature) -> EventInfo:
    kept = {name: text for name, text in event.display.items() if name != feature.name}
    return replace(event, display=kept)


def _wrong(place: int, part: str, message: str) -> Exception:
    return bad_request("EDIT_INVALID", f"edits[{place}].{part}: {message}", f"edits[{place}].{part}")
