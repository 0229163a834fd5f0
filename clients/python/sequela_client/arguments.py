"""Checks the arguments of callers: strings, whole numbers, and lists of sequences."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from operator import index
from typing import Any, TypeVar

import numpy as np

from sequela_client.errors import CallerError
from sequela_client.inputs import Sequence
from sequela_client.tables import is_table

T = TypeVar("T")


def string(field: str, value: object) -> str:
    """Returns a string as it is. Raises CallerError (ARGUMENT_INVALID) for anything else."""
    if not isinstance(value, str):
        raise CallerError(f"{field}: must be a string, not {shown(value)}", reason="ARGUMENT_INVALID")
    try:
        # Lone surrogates are legal in str, but not in protobuf.
        value.encode()
    except UnicodeEncodeError:
        raise CallerError(
            f"{field}: {value!a} is not valid Unicode text", reason="ARGUMENT_INVALID"
        ) from None
    return value


def strings(field: str, values: object) -> dict[str, str]:
    """Returns a mapping of strings as it is. Raises CallerError (ARGUMENT_INVALID) for anything else."""
    if not isinstance(values, Mapping):
        problem = f"{field}: must be a mapping, not {shown(values)}"
        raise CallerError(problem, reason="ARGUMENT_INVALID")
    return {string(f"{field} key", key): string(f"{field}[{key!r}]", value) for key, value in values.items()}


def whole_number(field: str, value: Any) -> int:
    """Returns a whole number as an int. Raises CallerError (ARGUMENT_INVALID) for anything else."""
    try:
        # `index` takes every integer type, such as those of numpy, and refuses floats such as 3.0.
        return index(value)
    except TypeError:
        raise CallerError(
            f"{field}: must be a whole number, not {shown(value)}", reason="ARGUMENT_INVALID"
        ) from None


def is_one_sequence(sequences: Any) -> bool:
    """Returns whether the argument is one sequence: an array or list (l, d), a table, a mapping or a `Sequence`."""
    return isinstance(sequences, Sequence | Mapping) or is_table(sequences) or _axes(sequences) in (1, 2)


def sequence_list(sequences: Any) -> Iterable[Any]:
    """Returns an iterable of sequences as it is.

    Raises:
        CallerError: ARGUMENT_INVALID, if the argument is not iterable or is a single sequence. Iterating over a
            DataFrame, for example, would give the names of its columns.
    """
    # A list is a list of sequences, unless its items are records, which make up one table.
    if isinstance(sequences, list | tuple):
        records = is_table(sequences) and not hasattr(sequences[0], "ndim")  # Series may be sequences
        if not records:
            return sequences
        what = "rows with names, which are one sequence; send [rows]"
    elif is_table(sequences) or isinstance(sequences, Sequence | Mapping | str | bytes):
        what = f"one {type(sequences).__name__}; send a list of sequences, [sequence] for one"
    elif not isinstance(sequences, Iterable | AsyncIterable):
        what = shown(sequences)
    else:
        return sequences  # type: ignore[return-value]
    raise CallerError(f"sequences: must be an iterable of sequences, not {what}", reason="ARGUMENT_INVALID")


def convert_item(field: str, place: int, make: Callable[[Any], T], item: Any) -> T:
    """Converts one of several sequences with `make`. A CallerError says which of them is wrong."""
    try:
        return make(_unpaired(item))
    except CallerError as error:
        raise type(error)(f"{field}[{place}]: {error.message}", reason=error.reason) from error


def _unpaired(item: Any) -> Any:
    """Returns an item as it is. Raises CallerError for a pair of a key and a table, as iterating over groupby gives."""
    if isinstance(item, tuple) and len(item) == 2 and is_table(item[1]) and not is_table(item[0]):
        text = "a key and a table, as groupby gives; send (table for _, table in groups)"
        raise CallerError(text, reason="NOT_AN_ARRAY")
    return item


def _axes(values: Any) -> int | None:
    """Returns how many axes an array, a tensor or a list of lists of numbers has; None for a list of anything else."""
    if isinstance(values, list | tuple):
        # Only the first item is looked at, because a list of numbers may be long.
        first = values[0] if values else None
        inner = 0 if isinstance(first, int | float | np.number) else None
        inner = _axes(first) if isinstance(first, list | tuple) else inner
        return None if inner is None else inner + 1
    return getattr(values, "ndim", None)


def shown(value: object) -> str:
    """Returns a value and its type, for an error message."""
    return f"{' '.join(repr(value).split())[:40]} of type {type(value).__name__}"
