"""Matches the column names that a caller sends to the features of the model.

If the model's columns have only default names (`f0`, `f1`, …), the columns sent are matched by position, and the answer
uses the caller's names for the features.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sequela.errors import DoesNotFit, InvalidInput, Violation
from sequela.explain.background import Background
from sequela.explain.explanation import ExplanationWarning
from sequela.explain.object_cache import kept_for_object
from sequela.explain.request import NamedArray
from sequela.explain.schema import FeatureKind, FeatureSchema, InputSchema, ModelSchema, Role

MAX_LISTED = 10
"""The largest number of names that a message lists."""
MAX_KEPT = 32
"""The number of column lists whose matches are cached for a schema. Most models have only a few clients."""
MAX_KEPT_CHARACTERS = 1 << 16
"""The length in characters of the longest list that is cached."""

Result = TypeVar("Result")


def reorder_columns(
    schema: ModelSchema, item: InputSchema, array: NDArray[Any], columns: Sequence[str], path: str
) -> NDArray[Any]:
    """Returns the array (…, columns) with its columns in the model's order, or unchanged if columns have no names.

    Raises:
        InvalidInput: COLUMNS_DIFFER, if one of the model's columns is missing.
    """
    if not columns or item.role not in (Role.EVENTS, Role.STATIC) or len(item.shape) > 1:
        return array
    found = _match(schema, item, columns)
    if found.missing:
        text = f"the columns {_join_names(columns)} were sent for input {item.name!r}; "
        text += _difference(schema, item, found)
        raise InvalidInput.at(path, "COLUMNS_DIFFER", text)
    return array if found.by_position else array[..., np.array(found.order, dtype=np.intp)]


def check_not_transposed(schema: ModelSchema, ids: Sequence[str], path: str) -> None:
    """Raises InvalidInput (COLUMNS_DIFFER) if the event ids are the names of the model's features."""
    if len(ids) > 1 and set(ids) == {feature.name for feature in schema.features}:
        text = (
            f"its rows have the names of the model's columns, {_join_names(ids)}; is it transposed? The first "
            "axis is events"
        )
        raise InvalidInput.at(path, "COLUMNS_DIFFER", text)


def with_caller_names(schema: ModelSchema, inputs: Sequence[NamedArray]) -> ModelSchema:
    """Returns the schema with the caller's column names for features that only have default names."""
    sent = tuple((item, given.columns) for item, given in _with_names(schema, inputs))
    if not sent:
        return schema
    # Equal names get the same schema object, so that results cached for that object are found again.
    renamed = _recall(schema, sent, lambda: _renamed(schema, sent))
    return schema if renamed is None else renamed


def _renamed(
    schema: ModelSchema, sent: tuple[tuple[InputSchema, tuple[str, ...]], ...]
) -> ModelSchema | None:
    """Returns the schema with the names that were sent, or None if it keeps its own."""
    names = dict[str, str]()
    for item, columns in sent:
        if _match(schema, item, columns).by_position and len(item.shape) <= 1:
            alone = (
                feature for feature in _owners(schema, item) if sum(map(len, feature.columns.values())) == 1
            )
            # Features of several columns keep their names, since no single column's name describes them.
            names |= dict(zip((feature.name for feature in alone), columns, strict=False))
    kept = {feature.name for feature in schema.features} - names.keys()
    # A name that occurs in two inputs would not identify a feature.
    if not names or len({*names.values(), *kept}) < len(names) + len(kept):
        return None
    features = (replace(feature, name=names.get(feature.name, feature.name)) for feature in schema.features)
    return replace(schema, features=tuple(features))


def column_warnings(
    schema: ModelSchema, inputs: Sequence[NamedArray], what: str
) -> Iterator[ExplanationWarning]:
    """Yields warnings about columns that were matched by position or ignored. `what` is the object they belong to."""
    for item, given in _with_names(schema, inputs):
        found = _match(schema, item, given.columns)
        # A single column cannot be in the wrong place.
        if found.by_position and len(given.columns) > 1:
            text = (
                f"The model's columns have no names, so the columns of the {what} were matched by position, in the "
                f"order sent: {_join_names(given.columns)}. To match them by name, name the features in schema.json."
            )
            yield ExplanationWarning("COLUMNS_NOT_CHECKED", text)
        elif found.left_out:
            text = f"Columns of the {what} that the model does not use were ignored: {_join_names(found.left_out)}."
            yield ExplanationWarning("COLUMNS_LEFT_OUT", text)


@kept_for_object
def named_columns(schema: ModelSchema) -> dict[str, tuple[str, ...]]:
    """Returns the names of the columns in the model's order, for each input whose features have names."""
    inputs = (item for item in schema.inputs if item.role in (Role.EVENTS, Role.STATIC))
    return {
        item.name: tuple(_names(owner, item, column)[0] for column, owner in enumerate(_owners(schema, item)))
        for item in inputs
        if not _is_unnamed(schema, item)
    }


def check_background_columns(background: Background, schema: ModelSchema, name: str, path: str) -> None:
    """Checks that the columns of a stored background have their places in the model.

    A background belongs to all versions of a model, and they may take their columns in another order.

    Raises:
        DoesNotFit: BACKGROUND_DOES_NOT_FIT.
    """
    for item, wanted in named_columns(schema).items():
        made_for = background.columns.get(item, ())
        places = {column: place for place, column in enumerate(made_for)}
        # A column that has a new name in its old place is accepted.
        if any(places.get(column, place) != place for place, column in enumerate(wanted)):
            text = (
                f"{name} was made for the columns {_join_names(made_for)} of input {item!r}, but the model takes them "
                f"in another order: {_join_names(wanted)}. Create a background with another name for this version"
            )
            raise DoesNotFit("BACKGROUND_DOES_NOT_FIT", text, violations=[Violation(path, text)])


@dataclass(frozen=True, slots=True)
class _ColumnMatch:
    """How the columns that were sent match the columns of an input.

    Attributes:
        order: For each of the model's columns, its position among the columns that were sent.
        missing: The model's columns that were not sent.
        left_out: The names of columns that the model does not know.
        by_position: Whether the columns were matched by position, because the model's columns have no names.
    """

    order: tuple[int, ...] = ()
    missing: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    by_position: bool = False


def _match(schema: ModelSchema, item: InputSchema, columns: Sequence[str]) -> _ColumnMatch:
    sent = tuple(columns)
    return _recall(schema, (item, sent), lambda: _find_match(schema, item, sent))


def _recall(schema: ModelSchema, sent: Hashable, find: Callable[[], Result]) -> Result:
    """Returns the cached result for these columns, or computes it. Callers usually send the same columns every time."""
    kept = _found_before(schema)
    if sent in kept:
        found: Result = kept[sent]
        return found
    result = find()
    if len(kept) < MAX_KEPT and len(repr(sent)) <= MAX_KEPT_CHARACTERS:
        kept[sent] = result
    return result


@kept_for_object
def _found_before(_: ModelSchema) -> dict[Hashable, Any]:
    return {}


def _find_match(schema: ModelSchema, item: InputSchema, columns: tuple[str, ...]) -> _ColumnMatch:
    if len(item.shape) > 1:
        # With a shape of several axes, the columns sent name only the last axis, which has no names in the schema.
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
    """Returns the feature of each column of an input."""
    owners = {column: feature for feature in schema.features for column in feature.columns.get(item.name, ())}
    return [owners[column] for column in range(item.width)]


def _names(feature: FeatureSchema, item: InputSchema, column: int) -> tuple[str, ...]:
    """Returns the names that a column may have: its feature's, with an index or category if the feature has several."""
    columns = feature.columns[item.name]
    if len(columns) == 1 and len(feature.columns) == 1:
        return (feature.name,)
    place = columns.index(column)
    if feature.kind is FeatureKind.ONE_HOT and feature.categories:
        category = feature.categories[place]
        return (f"{feature.name}_{category}", f"{feature.name}={category}")
    return (f"{feature.name}.{place}", f"{feature.name}_{place}", f"{feature.name}{place}")


def _is_unnamed(schema: ModelSchema, item: InputSchema) -> bool:
    """Returns whether the features of an input have default names: numbered ones, or the name of the input."""
    counted = re.compile(rf"({re.escape(item.name)})?[._]?f?\d*")
    return all(counted.fullmatch(feature.name) for feature in _owners(schema, item))


def _with_names(
    schema: ModelSchema, inputs: Sequence[NamedArray]
) -> Iterator[tuple[InputSchema, NamedArray]]:
    """Yields the inputs that were sent with column names."""
    data = {item.name: item for item in schema.inputs if item.role in (Role.EVENTS, Role.STATIC)}
    only = next(iter(data)) if len(data) == 1 else ""
    for given in inputs:
        item = data.get(given.name or only)
        if item is not None and given.columns:
            yield item, given


def _difference(schema: ModelSchema, item: InputSchema, found: _ColumnMatch) -> str:
    if _is_unnamed(schema, item):
        return (
            f"it takes {item.width} columns, which have no names to match; send exactly these columns, "
            "or name the features in schema.json"
        )
    # Suggest only names that the model does not take, since they are most likely misspelled.
    sent = {name.casefold().strip(): name for name in found.left_out}
    near = {name: get_close_matches(name.casefold(), sent, n=1) for name in found.missing}
    meant = [f"{sent[guess[0]]!r} for {name!r}" for name, guess in near.items() if guess]
    return f"missing: {_join_names(found.missing)}" + (
        f" (did you mean {_join_names(meant)}?)" if meant else ""
    )


def _join_names(names: Sequence[str]) -> str:
    shown = ", ".join(names[:MAX_LISTED])
    return shown if len(names) <= MAX_LISTED else f"{shown} and {len(names) - MAX_LISTED} more"
