"""Matches the column names that a caller sends with the features of the model.

If the model's columns have no names of their own (`f0`, `f1`, …), columns are taken in the order in which they were
sent, and the answer uses the caller's names for the features.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela.errors import InvalidInput
from sequela.explain.explanation import ExplanationWarning
from sequela.explain.request import NamedArray
from sequela.explain.schema import FeatureKind, FeatureSchema, InputSchema, ModelSchema, Role

MAX_LISTED = 10
"""The most names that a message lists."""


def in_order(
    schema: ModelSchema, item: InputSchema, array: NDArray[Any], columns: Sequence[str], path: str
) -> NDArray[Any]:
    """The array (…, columns) with its columns in the model's order, or unchanged if columns have no names.

    Raises:
        InvalidInput: COLUMNS_DIFFER, if a column that the model takes is missing.
    """
    if not columns or item.role not in (Role.EVENTS, Role.STATIC) or len(item.shape) > 1:
        return array
    found = _match(schema, item, columns)
    if found.missing:
        text = f"columns {_listed(columns)} were sent for input {item.name!r}; {_difference(schema, item, found)}"
        raise InvalidInput.at(path, "COLUMNS_DIFFER", text)
    return array if found.by_position else array[..., np.array(found.order, dtype=np.intp)]


def check_not_transposed(schema: ModelSchema, ids: Sequence[str], path: str) -> None:
    """Raises InvalidInput (COLUMNS_DIFFER) if the ids of the events are the names of the model's features."""
    if len(ids) > 1 and set(ids) == {feature.name for feature in schema.features}:
        text = (
            f"its rows are called {_listed(ids)}, as the model's columns are: transposed? Events come first"
        )
        raise InvalidInput.at(path, "COLUMNS_DIFFER", text)


def named_by_caller(schema: ModelSchema, inputs: Sequence[NamedArray]) -> ModelSchema:
    """The schema in which features without names of their own have the names of the caller's columns."""
    names: dict[str, str] = {}
    for item, given in _with_names(schema, inputs):
        if _match(schema, item, given.columns).by_position and len(item.shape) <= 1:
            alone = (
                feature for feature in _owners(schema, item) if sum(map(len, feature.columns.values())) == 1
            )
            names |= dict(zip((feature.name for feature in alone), given.columns, strict=False))
    kept = {feature.name for feature in schema.features} - names.keys()
    # A name that two inputs share would not identify a feature.
    if len({*names.values(), *kept}) < len(names) + len(kept):
        return schema
    features = (replace(feature, name=names.get(feature.name, feature.name)) for feature in schema.features)
    return replace(schema, features=tuple(features))


def column_warnings(
    schema: ModelSchema, inputs: Sequence[NamedArray], what: str
) -> Iterator[ExplanationWarning]:
    """Warns of columns that were not matched by name, or left out. `what` names the owner of the columns."""
    for item, given in _with_names(schema, inputs):
        found = _match(schema, item, given.columns)
        # A single column cannot be in the wrong place.
        if found.by_position and len(given.columns) > 1:
            text = (
                f"The model's columns have no names, so the columns of the {what} were taken in the order they were "
                f"sent: {_listed(given.columns)}. Name the features in schema.json to have them matched by name."
            )
            yield ExplanationWarning("COLUMNS_NOT_CHECKED", text)
        elif found.left_out:
            text = f"Columns of the {what} that the model does not take were left out: {_listed(found.left_out)}."
            yield ExplanationWarning("COLUMNS_LEFT_OUT", text)


@dataclass(frozen=True, slots=True)
class _ColumnMatch:
    """How the columns that were sent match those of an input.

    Attributes:
        order: The position, among the columns that were sent, of each of the model's columns.
        missing: The model's columns that were not sent.
        left_out: The names that the model does not know.
        by_position: The model's columns have no names, so columns were taken in order.
    """

    order: tuple[int, ...] = ()
    missing: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    by_position: bool = False


def _match(schema: ModelSchema, item: InputSchema, columns: Sequence[str]) -> _ColumnMatch:
    if len(item.shape) > 1:
        # The columns sent are those of the last axis alone, which the schema does not name.
        return _ColumnMatch(by_position=True)
    # A column may have several accepted names, such as `type_login` and `type=login`; the first one that was
    # sent counts.
    wanted = [_names(feature, item, column) for column, feature in enumerate(_owners(schema, item))]
    places = {name: place for place, name in enumerate(columns)}
    found = [next((places[name] for name in names if name in places), None) for names in wanted]
    order = tuple(place for place in found if place is not None)
    if len(order) == len(wanted):
        used = {columns[place] for place in order}
        return _ColumnMatch(order, left_out=tuple(name for name in columns if name not in used))
    # Without names in the schema there is nothing to match, but the number of columns must be right.
    if len(columns) == item.width and _is_unnamed(schema, item):
        return _ColumnMatch(by_position=True)
    missing = tuple(names[0] for names, place in zip(wanted, found, strict=True) if place is None)
    known = {name for names in wanted for name in names}
    return _ColumnMatch(order, missing, tuple(name for name in columns if name not in known))


def _owners(schema: ModelSchema, item: InputSchema) -> list[FeatureSchema]:
    """The feature of each column of an input."""
    owners = {column: feature for feature in schema.features for column in feature.columns.get(item.name, ())}
    return [owners[column] for column in range(item.width)]


def _names(feature: FeatureSchema, item: InputSchema, column: int) -> tuple[str, ...]:
    """The names that a column may have: that of its feature, or with its place or category if there are several."""
    columns = feature.columns[item.name]
    if len(columns) == 1 and len(feature.columns) == 1:
        return (feature.name,)
    place = columns.index(column)
    if feature.kind is FeatureKind.ONE_HOT and feature.categories:
        category = feature.categories[place]
        return (f"{feature.name}_{category}", f"{feature.name}={category}")
    return (f"{feature.name}.{place}", f"{feature.name}_{place}", f"{feature.name}{place}")


def _is_unnamed(schema: ModelSchema, item: InputSchema) -> bool:
    """Whether the features of an input have default names, which count them or repeat the input's name."""
    counted = re.compile(rf"({re.escape(item.name)})?[._]?f?\d*")
    return all(counted.fullmatch(feature.name) for feature in _owners(schema, item))


def _with_names(
    schema: ModelSchema, inputs: Sequence[NamedArray]
) -> Iterator[tuple[InputSchema, NamedArray]]:
    """The inputs that were sent with column names."""
    data = {item.name: item for item in schema.inputs if item.role in (Role.EVENTS, Role.STATIC)}
    only = next(iter(data)) if len(data) == 1 else ""
    for given in inputs:
        item = data.get(given.name or only)
        if item is not None and given.columns:
            yield item, given


def _difference(schema: ModelSchema, item: InputSchema, found: _ColumnMatch) -> str:
    if _is_unnamed(schema, item):
        return (
            f"it takes {item.width}, and they have no names by which to choose: send only those, "
            "or name the features in schema.json"
        )
    # Suggest only names that the model does not take, since they are most likely misspelled.
    sent = {name.casefold().strip(): name for name in found.left_out}
    near = {name: get_close_matches(name.casefold(), sent, n=1) for name in found.missing}
    meant = [f"{sent[guess[0]]!r} for {name!r}" for name, guess in near.items() if guess]
    return f"missing: {_listed(found.missing)}" + (f" (is it {_listed(meant)}?)" if meant else "")


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:MAX_LISTED])
    return shown if len(names) <= MAX_LISTED else f"{shown} and {len(names) - MAX_LISTED} more"
