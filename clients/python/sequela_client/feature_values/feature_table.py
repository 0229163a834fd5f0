"""Reads the features of a sequence out of the inputs of its model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sequela_client.feature_values.columns import FeatureColumn, feature_column
from sequela_client.inputs import Sequence, by_name
from sequela_client.tables import Table

if TYPE_CHECKING:
    from sequela_client.resources import Model, ModelFeature, ModelInput


class SequenceUnreadable(ValueError):
    """The sequence cannot be split into the features of its model; the text says why."""


@dataclass(frozen=True, slots=True, eq=False)
class FeatureTable:
    """The features of a sequence.

    Args:
        rows: for each real event, oldest first, its row in the inputs, which may have padding.
        columns: the features of events by name, one row for each real event.
        static: the static features by name, with one row.
    """

    rows: NDArray[np.intp]
    columns: Mapping[str, FeatureColumn]
    static: Mapping[str, FeatureColumn]

    def row(self, t: int) -> int:
        """Returns the row of event t in `columns`."""
        return len(self.rows) - 1 + t


def feature_table(sequence: Sequence, model: Model, length: int) -> FeatureTable:
    """Returns the features of a sequence.

    Args:
        sequence: the sequence as it was sent.
        model: the description of the model that scored it.
        length: how many real events it has.

    Raises:
        SequenceUnreadable: the inputs do not have the columns of the model, or it is not known which rows are padding.
    """
    inputs = model_inputs(sequence, model)
    rows = _real_rows(inputs, model, length)
    events, static = {}, {}
    for feature in model.features:
        if feature.static:
            static[feature.name] = feature_column(feature, _picked(inputs, feature))
        else:
            events[feature.name] = feature_column(feature, _picked(inputs, feature)[rows])
    return FeatureTable(rows, events, static)


def model_inputs(sequence: Sequence, model: Model) -> dict[str, NDArray[Any]]:
    """Returns the inputs by name, each with one axis for columns, in the order of the model.

    Raises:
        SequenceUnreadable: an input is missing, or has other columns than the model.
    """
    given = by_name(sequence.inputs)
    found = {}
    for each in model.inputs:
        value = given.get(each.name, given.get("") if _is_only(model, each.name) else None)
        if value is not None:
            found[each.name] = _arranged(value, model.features, each)
        elif each.role in ("events", "static"):
            raise SequenceUnreadable(f"the sequence lacks the input {each.name!r} of the model")
    return found


def _is_only(model: Model, name: str) -> bool:
    """Whether an input is the single one apart from mask, length and states, so that its name may be left out."""
    return [each.name for each in model.inputs if each.role in ("events", "static")] == [name]


def _arranged(value: Any, features: Iterable[ModelFeature], described: ModelInput) -> NDArray[Any]:
    """Returns the values of an input as its model takes them, with one axis for columns."""
    columns = value.columns if isinstance(value, Table) else ()
    array = np.asarray(value.values if isinstance(value, Table) else value)
    array = array.reshape(len(array) if described.role == "events" and array.ndim else 1, -1)
    if columns:
        array = array[:, _order(columns, features, described)]
    return array.astype(described.dtype)


def _order(columns: tuple[str, ...], features: Iterable[ModelFeature], described: ModelInput) -> list[int]:
    """Returns for each column of the model the place of the column that was sent under its name."""
    places = [-1] * described.width
    for feature in features:
        picked = feature.columns.get(described.name, ())
        for place in picked:
            if len(picked) == 1 and feature.name in columns and place < described.width:
                places[place] = columns.index(feature.name)
    if -1 in places:
        raise SequenceUnreadable("the sequence was sent with columns that do not match the model's features")
    return places


def _real_rows(inputs: Mapping[str, NDArray[Any]], model: Model, length: int) -> NDArray[np.intp]:
    roles = {each.role: inputs[each.name] for each in model.inputs if each.name in inputs}
    events = len(roles["events"]) if "events" in roles else 0
    if events == length:
        return np.arange(length)
    if "mask" in roles:
        found = np.flatnonzero(roles["mask"].reshape(-1) == 1)
        if len(found) == length:
            return found
    raise SequenceUnreadable("the sequence has padding, and it is not known which of its rows are events")


def _picked(inputs: Mapping[str, NDArray[Any]], feature: ModelFeature) -> NDArray[Any]:
    """Returns the columns of a feature (rows, k). Columns of several inputs stand side by side."""
    try:
        parts = [inputs[name][:, list(columns)] for name, columns in feature.columns.items()]
    except (KeyError, IndexError):
        raise SequenceUnreadable(f"the sequence lacks columns of the feature {feature.name!r}") from None
    if not parts:
        raise SequenceUnreadable(f"the service does not say which columns {feature.name!r} has")
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
