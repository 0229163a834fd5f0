"""Tables with named columns: DataFrames of pandas, polars and Arrow, Series, structured arrays, lists of records.

Everything in a table is used or refused; nothing is dropped silently. The server matches column names with the model's
features. An index of times, or a single column of times, gives the times of the events. Any other index gives their
ids.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Sequence as List
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela_client.arrays import from_items, is_missing, is_number, not_an_array, numbers
from sequela_client.errors import CallerError

Items = list[Any]
Columns = Mapping[str, Any]
"""Columns by name: arrays of numbers, or lists of anything."""
ReadText = Callable[[str, str, Items], Columns]
"""Turns a column of text into columns of numbers. Its arguments are the place, the column's name and its cells."""

_DATE = re.compile(r"\d{4}-\d\d-\d\d|\d\d?[./]\d\d?[./]\d{2,4}")
_DATE_FIRST = re.compile(r"\d{4}-\d\d-\d\d")
# Rows of pandas' describe(), which are not events.
STATISTICS = {"count", "mean", "std", "min", "max"}


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Values with the names of their columns, and the times and ids of their rows.

    Args:
        values: (rows, columns), or (columns) for a single row.
        columns: one name for each column, or none.
        times: one for each row, or none.
        ids: one for each row, or none.
    """

    values: NDArray[Any]
    columns: tuple[str, ...] = ()
    times: tuple[datetime, ...] = ()
    ids: tuple[str, ...] = ()


class TextInTable(CallerError):
    """A column holds text, and only the model's description says what the text means."""


def text_unknown(where: str, name: str, _: Items) -> Columns:
    """Refuses every column of text."""
    raise TextInTable(f"{where or 'the sequence'}: column {name!r} holds text", reason="NOT_AN_ARRAY")


def only_numbers(where: str, name: str, cells: Items) -> Columns:
    """Reads texts that are numbers. Raises CallerError (NOT_AN_ARRAY) for others."""
    place = f"{where or 'the sequence'}, column {name!r}" if name else where
    words = [item for item in cells if _is_text(item) and not is_number(item)]
    if words:
        text = (
            f"holds text, such as {words[0]!r}, and the model has no categories with a name for it; send the numbers "
            "that the model takes, or leave the column out"
        )
        times = "; times go in as datetimes (pandas.to_datetime)" if is_date(words[0]) else ""
        raise not_an_array(place, text + times)
    return {name: from_items(place, cells)}


def is_date(text: str) -> bool:
    """Returns whether a text begins with a date, such as 2026-01-31 or 31.1.2026."""
    return _DATE.match(text) is not None


def as_table(where: str, given: Any, read_text: ReadText = only_numbers) -> Table:
    """Converts the values of a sequence for one input.

    Args:
        where: the name of the input; empty if the model has only one.
        given: an array or a table.
        read_text: reads a column of a table that holds text.

    Raises:
        CallerError: NOT_AN_ARRAY, naming the wrong column.
    """
    if isinstance(given, Table):
        return given
    records = _records(given)
    if records:
        return _of_columns(where, _by_column(where, records), read_text)
    if isinstance(given, np.ndarray) and given.dtype.names:
        return _of_columns(where, {name: given[name].tolist() for name in given.dtype.names}, read_text)
    if _native(given) is None:
        return Table(numbers(where, given))
    return _of_frame(where, given, read_text)


def as_row(where: str, given: Any, read_text: ReadText = only_numbers) -> Table:
    """Converts the values of a background for one input. Unlike in `as_table`, the index of a Series names columns."""
    if isinstance(given, np.ndarray) and given.dtype.names and given.ndim == 0:
        given = given.reshape(1)
    index = getattr(given, "index", None)
    if getattr(_native(given), "__name__", "") == "Series" and index is not None and not callable(index):
        items = list(given)
        if any(map(_is_text, items)) and not _is_counted(index):
            table = _of_columns(
                where, {str(name): [item] for name, item in zip(index, items, strict=True)}, read_text
            )
            return replace(table, values=table.values[0])
        named = () if _is_counted(index) else tuple(map(str, index))
        return Table(from_items(where, items), named)
    table = as_table(where, given, read_text)
    # A background is often computed with describe(), whose rows are not events.
    if set(table.ids) >= STATISTICS:
        text = "its rows are statistics, as describe() gives; send one of them, such as df.describe().loc['mean']"
        raise not_an_array(where, text)
    return replace(table, times=(), ids=())


def is_table(given: Any) -> bool:
    """Returns whether the argument is one table, and not several sequences."""
    return bool(_records(given)) or _native(given) is not None


def _records(given: Any) -> List[Mapping[str, Any]]:
    """Returns the rows of a list of records; an empty list for anything else.

    A list of mappings whose values are arrays is a list of sequences, not of records.
    """
    if not isinstance(given, list | tuple) or not given or _record(given[0]) is None:
        return []
    records = [record for record in map(_record, given) if record is not None]
    whole = len(records) == len(given) and not any(
        _has_axes(value) for row in records for value in row.values()
    )
    return records if whole else []


def _record(row: Any) -> Mapping[str, Any] | None:
    """Returns the values of a row by name; None if it is not a mapping, a named tuple or another row with names."""
    if isinstance(row, Mapping):
        return row
    fields = getattr(row, "_fields", getattr(row, "__fields__", None))
    if isinstance(row, tuple) and fields:
        return dict(zip(fields, row, strict=True))
    if isinstance(row, np.void) and row.dtype.names:
        return dict(zip(row.dtype.names, row.tolist(), strict=True))
    flat = getattr(row, "ndim", 1) == 1 and callable(getattr(row, "keys", None))
    names = list(row.keys()) if flat else []
    return (
        dict(zip(names, row, strict=True)) if names and all(isinstance(name, str) for name in names) else None
    )


def _has_axes(value: Any) -> bool:
    return isinstance(value, list | tuple | Mapping) or bool(getattr(value, "ndim", 0))


def _by_column(where: str, records: List[Mapping[str, Any]]) -> dict[str, Items]:
    names = list(records[0])
    for number, record in enumerate(records):
        if record.keys() != records[0].keys():
            differing = sorted(map(str, record.keys() ^ records[0].keys()))
            raise not_an_array(
                where, f"record {number} differs from the first in its keys: {', '.join(differing)}"
            )
    return {str(name): [record[name] for record in records] for name in names}


def _native(given: Any) -> Any:
    """Returns narwhals' DataFrame or Series class if narwhals reads the argument as one, and None if it is lazy."""
    if given is None or isinstance(given, np.ndarray | list | tuple | Mapping | int | float):
        return None
    import narwhals as nw  # noqa: PLC0415 its import takes time, which only tables should cost

    try:
        found = nw.from_native(_pandas(given), pass_through=True, allow_series=True, eager_only=True)
    # It is a table. That a column occurs twice is reported when the table is read.
    except nw.exceptions.DuplicateError:
        return nw.DataFrame
    return next((kind for kind in (nw.DataFrame, nw.Series) if isinstance(found, kind)), None)


def _pandas(given: Any) -> Any:
    """Returns a labelled array of xarray as a DataFrame; anything else as it is."""
    return given.to_pandas() if type(given).__module__.startswith("xarray.") else given


def _of_frame(where: str, given: Any, read_text: ReadText) -> Table:
    import narwhals as nw  # noqa: PLC0415

    native = _pandas(given)
    labels: list[str] = list(map(str, getattr(native, "column_names", getattr(native, "columns", ()))))
    if getattr(getattr(native, "columns", None), "nlevels", 1) > 1:
        raise not_an_array(where, "its columns have several levels; give each column one name")
    repeated = [label for label in labels if labels.count(label) > 1]
    if repeated:
        raise not_an_array(where, f"column {repeated[0]!r} occurs twice; columns are matched by name")
    frame = nw.from_native(native, allow_series=True, eager_only=True)
    if isinstance(frame, nw.Series):
        held = {str(frame.name or ""): _items(frame)}
    else:
        held = dict(zip(labels, map(_items, frame.iter_columns()), strict=True))
    table = _of_columns(where, held, read_text)
    index = nw.maybe_get_index(frame)
    return table if index is None else _with_index(where, table, index)


def _items(series: Any) -> Any:
    """Returns a column as an array if it holds numbers only, else as a list."""
    array = series.to_numpy()
    return array if array.dtype.kind in "fiub" else series.to_list()


def _of_columns(where: str, held: Columns, read_text: ReadText) -> Table:
    """Makes a table of columns. A single column of times gives the times of the events; all others are values."""
    timed = [name for name, items in held.items() if not isinstance(items, np.ndarray) and _are_times(items)]
    # Only the caller knows which of them is the time of the event.
    if len(timed) > 1:
        text = f"columns {', '.join(timed)} hold times; keep the one that says when the events happened"
        raise not_an_array(where, text)
    columns = {
        name: values
        for each, items in held.items()
        if each not in timed
        for name, values in _numbered(where, each, items, read_text).items()
    }
    if not columns:
        raise not_an_array(where, "it has no column of numbers")
    names, values = list(columns), list(columns.values())
    named = () if _is_default(names) or names == [""] else tuple(names)
    table = Table(np.stack(values, axis=1) if len(values[0]) else np.empty((0, len(names))), named)
    return replace(table, times=_times(where, held[timed[0]])) if timed else table


def _numbered(where: str, name: str, items: Any, read_text: ReadText) -> dict[str, NDArray[Any]]:
    """Returns the columns of numbers that stand for one column: itself, or what its text means to the model."""
    place = f"{where or 'the sequence'}, column {name!r}" if name else where
    if isinstance(items, np.ndarray):
        return {name: numbers(place, items)}
    if any(map(_is_text, items)):
        read = read_text(where, name, items)
        return {
            each: numbers(f"{where or 'the sequence'}, column {each!r}", values)
            for each, values in read.items()
        }
    return {name: from_items(place, items)}


def _is_text(item: Any) -> bool:
    return isinstance(item, str) and not is_missing(item)


def _are_times(items: Items) -> bool:
    known = [item for item in items if not is_missing(item)]
    return bool(known) and all(isinstance(item, date | np.datetime64) for item in known)


def _times(where: str, items: Iterable[Any]) -> tuple[datetime, ...]:
    """Returns the times of the events. Raises CallerError if a later event has an earlier time."""
    times = tuple(_time(where, item) for item in items)
    # Python cannot compare times with and without a zone.
    if len({time.tzinfo is None for time in times}) > 1:
        raise not_an_array(
            where, "some of its times have a time zone and others have none; give all of them one"
        )
    if any(later < earlier for earlier, later in pairwise(times)):
        text = (
            "its times go back: the oldest event must come first, and the one to explain last; sort the rows by time, "
            "or leave the times out if they do not say in which order the events happened"
        )
        raise not_an_array(where, text)
    return times


def _time(where: str, item: Any) -> datetime:
    if is_missing(item) or (isinstance(item, np.datetime64) and np.isnat(item)):
        raise not_an_array(where, "an event has no time; fill in its time, or leave the column of times out")
    if hasattr(item, "to_pydatetime"):
        found: datetime = item.to_pydatetime(warn=False)
        return found
    if isinstance(item, np.datetime64):
        return datetime.fromisoformat(str(item.astype("datetime64[us]")))
    return item if isinstance(item, datetime) else datetime(item.year, item.month, item.day)  # noqa: DTZ001 local time, as in Python


def _with_index(where: str, table: Table, index: Any) -> Table:
    """Adds the times or ids in the index to a table. An index that only counts the rows is ignored."""
    # Several levels are usually an entity and a time, that is, several sequences.
    if getattr(index, "nlevels", 1) > 1:
        text = "its index has several levels; take the rows of one entity, then index by time (df.xs(entity))"
        raise not_an_array(where, text)
    # An index of periods, such as months, is taken at the beginning of each.
    if hasattr(index, "to_timestamp"):
        index = index.to_timestamp()
    items = list(index)
    if items and all(isinstance(item, str) and _DATE_FIRST.match(item) for item in items):
        items = _from_text(items)
    if _are_times(items):
        return replace(table, times=table.times or _times(where, items))
    if _is_counted(index) or all(map(is_missing, items)):
        return table
    return replace(table, ids=tuple("" if is_missing(item) else str(item) for item in items))


def _from_text(items: Items) -> Items:
    """Parses texts as ISO 8601 times, since an index often has unparsed times. Returns other texts as they are."""
    try:
        return [datetime.fromisoformat(item) for item in items]
    except ValueError:
        return items


def _is_counted(index: Any) -> bool:
    """Returns whether an index only counts the rows, which is the default of pandas."""
    return hasattr(index, "start") and hasattr(index, "step")


def _is_default(names: List[str]) -> bool:
    """Returns whether columns have the default names of pandas (0, 1, …) or polars (column_0, …)."""
    return any(names == [f"{prefix}{place}" for place in range(len(names))] for prefix in ("", "column_"))
