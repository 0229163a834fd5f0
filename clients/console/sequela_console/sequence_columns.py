"""Gives the sequence of an alert to another model, which may take the same columns in other places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sequela_client.feature_values.feature_table import model_inputs
from sequela_client.inputs import Sequence
from sequela_client.model_inputs.layout import layout_of
from sequela_client.resources import Model, ModelFeature

from sequela_console.http.errors import bad_request


def rearranged(sequence: Sequence, old: Model, new: Model) -> Sequence:
    """Returns a sequence in the order of columns of a new model. Columns are matched by the names of their features.

    If a model has no names for them, all columns stay where they are.

    Args:
        sequence: the sequence, as the old model takes it.
        old: the model of the alert.
        new: the other model.

    Raises:
        ApiError: the new model has a feature that the old one lacks.
    """
    before, after = layout_of(old), layout_of(new)
    if before is None or after is None or before.unnamed or after.unnamed:
        return sequence
    features = {feature.name: feature for feature in before.features}
    if all(
        feature.name in features and features[feature.name].columns == feature.columns
        for feature in after.features
    ):
        return sequence
    given = model_inputs(sequence, old)
    rows = {item.role: len(given[item.name]) for item in before.inputs}
    inputs = dict(given) | {
        item.name: np.zeros((rows.get(item.role, 1), item.width), item.dtype) for item in after.inputs
    }
    for feature in after.features:
        _move(given, _source(features, feature, new), inputs, feature)
    return replace(sequence, inputs=inputs, columns={})


def _source(features: Mapping[str, ModelFeature], wanted: ModelFeature, new: Model) -> ModelFeature:
    found = features.get(wanted.name)
    if found is None or len(_places(found)) != len(_places(wanted)) or found.static != wanted.static:
        text = f"{new.name} takes the feature {wanted.name!r}, which the alert's model does not have in this form"
        raise bad_request("MODEL_DIFFERS", text, "model")
    return found


def _move(
    given: Mapping[str, NDArray[Any]],
    source: ModelFeature,
    inputs: Mapping[str, NDArray[Any]],
    target: ModelFeature,
) -> None:
    for (old, place), (new, other) in zip(_places(source), _places(target), strict=True):
        inputs[new][:, other] = given[old][:, place]


def _places(feature: ModelFeature) -> list[tuple[str, int]]:
    return [(name, column) for name, columns in feature.columns.items() for column in columns]
