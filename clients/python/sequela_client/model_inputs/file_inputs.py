"""Converts the content of a file to the sequence or the background that a model takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela_client.errors import CallerError
from sequela_client.files import FileContent, FileTable
from sequela_client.files.file_table import numbers
from sequela_client.files.loader import FileValues
from sequela_client.files.records import columns_in
from sequela_client.files.text_format import file_error
from sequela_client.inputs import BackgroundValues, Values
from sequela_client.inputs import Sequence as EventSequence
from sequela_client.model_inputs import rows
from sequela_client.model_inputs.columns import (
    ColumnMatch,
    choose_columns,
    columns_error,
    find_columns,
    match_columns,
    name_list,
    transpose,
    with_comment_names,
)
from sequela_client.model_inputs.layout import Layout
from sequela_client.model_inputs.rows import RowOptions
from sequela_client.model_inputs.table_values import arrays
from sequela_client.tables import STATISTICS
from sequela_client.tables import Table as NamedColumns


@dataclass
class Notes:
    """Notes for the caller about how files were read."""

    texts: list[str] = field(default_factory=list)

    def add(self, loaded: FileContent, text: str) -> None:
        """Adds a note about a file, unless the note is empty or was added before."""
        if text and f"{loaded.path.name}: {text}" not in self.texts:
            self.texts.append(f"{loaded.path.name}: {text}")


def needs_layout(loaded: FileContent) -> bool:
    """Returns whether the inputs and features of the model are needed to read the file."""
    held = loaded.values
    if not isinstance(held, np.ndarray):
        return True
    # A plain array is sent as it is. A batch axis and missing values depend on the model.
    return held.ndim > 2 or (held.dtype.kind == "f" and bool(np.isnan(held).any()))


def sequence(loaded: FileContent, layout: Layout | None, options: RowOptions, notes: Notes) -> EventSequence:
    """Converts the content of a file to a sequence.

    Args:
        loaded: the content of the file.
        layout: the inputs and features of the model, if they are known.
        options: the caller's options about rows and columns.
        notes: receives a note about each assumption.

    Raises CallerError if the file is faulty or ambiguous.
    """
    held = _as_table(loaded, layout)
    if not isinstance(held, FileTable):
        if options.given:
            raise _not_a_table(loaded, options.given[0])
        values = _arrays(loaded, held, layout, notes)
        return EventSequence(values, loaded.events, loaded.id, loaded.labels, loaded.columns)
    table, owner = rows.of_entity(held, options.entity)
    table = rows.in_time(table, options.sort_by)
    if loaded.events and len(loaded.events) != len(held.rows):
        raise file_error(
            loaded.path,
            f"it has values for {len(held.rows)} events, but 'events' describes {len(loaded.events)}",
        )
    if loaded.events and (table.lines != held.lines or options.time or options.id):
        raise file_error(
            loaded.path, "--entity, --sort-by, --time and --id cannot be used for a file that has 'events'"
        )
    values, used = _values(table, layout, options, loaded, notes)
    unread = [at for at in range(table.width) if at not in used]
    if not options.columns:
        rows.check_unread(table, unread if not options.sort_by else _without(table, unread, options))
    events, note = loaded.events, ""
    if not events:
        events, note = rows.events(table, options, unread)
    notes.add(loaded, note)
    _say_left_out(loaded, table, unread, options, note, notes)
    return EventSequence(values, events, loaded.id or owner, loaded.labels)


def background(
    loaded: FileContent, layout: Layout | None, options: RowOptions, notes: Notes
) -> BackgroundValues:
    """Converts the content of a file to a background. Arguments and errors are those of `sequence`."""
    mean = loaded.mean_event
    return BackgroundValues(
        _rows_of(loaded, loaded.values, layout, options, notes),
        None if mean is None else _one(_rows_of(loaded, mean, layout, options, notes), mean),
    )


def _one(values: Any, held: FileValues) -> Values:
    """Returns the mean event, which is the only row of a table."""
    if not isinstance(held, FileTable):
        return values  # type: ignore[no-any-return]
    if isinstance(values, dict):
        return {name: array[0] for name, array in values.items()}
    if isinstance(values, NamedColumns):
        return replace(values, values=values.values[0])
    return values[0]  # type: ignore[no-any-return]


def _rows_of(
    loaded: FileContent, held: FileValues, layout: Layout | None, options: RowOptions, notes: Notes
) -> Values:
    table = _as_table(replace(loaded, values=held), layout)
    if not isinstance(table, FileTable):
        return _arrays(loaded, table, layout, notes)
    if table.width and {str(cell).strip() for cell in table.column(0)} >= STATISTICS:
        text = "its rows are statistics, as describe() gives; keep one of them, such as the mean"
        raise columns_error(table, text)
    # A background often has all columns of the sequence, but it may have only the features.
    columns = options.columns if _has(table, options.columns) else ()
    values, used = _values(table, layout, RowOptions(columns), loaded, notes)
    _say_left_out(loaded, table, [at for at in range(table.width) if at not in used], options, "", notes)
    return values


def _has(table: FileTable, wanted: Sequence[str]) -> bool:
    """Returns whether the background has the columns that --columns names for the sequence."""
    try:
        return bool(wanted and [find_columns(table, each) for each in wanted])
    except CallerError:
        return False


def _not_a_table(loaded: FileContent, option: str) -> CallerError:
    """Returns the error about an option that is for tables only."""
    return file_error(
        loaded.path.name,
        f"{option} can be used only for a table: CSV, or JSON with records or columns by name",
    )


def _as_table(loaded: FileContent, layout: Layout | None) -> FileValues:
    """Returns the values as a table if they are columns by name, and as they are if they are inputs by name."""
    held = loaded.values
    if isinstance(held, FileTable):
        held = with_comment_names(held, layout)
        return held if layout is None else transpose(held, layout)
    # In JSON, both columns and inputs are lists by name. Only the names show which of them is meant.
    if isinstance(held, np.ndarray) or layout is None or set(held) <= {item.name for item in layout.inputs}:
        return held
    if all(array.ndim == 1 for array in held.values()):
        columns = {name: array.tolist() for name, array in held.items()}
        if (found := columns_in(loaded.path, columns)) is not None:
            return found
        if set(held) & set(layout.names):
            lengths = ", ".join(f"{name} {len(array)}" for name, array in held.items())
            raise file_error(loaded.path, f"its columns differ in length: {lengths}")
    return held


def _values(
    table: FileTable, layout: Layout | None, options: RowOptions, loaded: FileContent, notes: Notes
) -> tuple[Values, set[int]]:
    """Returns the inputs of the model, and the columns of the table that are used for them."""
    found: ColumnMatch | list[int]
    if options.columns:
        found = choose_columns(table, options.columns, layout)
    elif layout is None:
        found = list(range(table.width))
    else:
        found = match_columns(table, layout, _apart(table, options))
    if isinstance(found, list):
        return _with_names(numbers(table, found), table, found), set(found)
    assert layout is not None
    notes.add(loaded, found.note)
    values = arrays(table, layout, found)
    if len(values) > 1 or len(layout.inputs) > 1:
        return values, found.used
    (only,) = values.values()
    # The columns are in the model's order now, so the server need not match them again.
    if not layout.unnamed or options.columns:
        return only, found.used
    return _with_names(only, table, [source.column for source in found.sources.values()]), found.used


def _apart(table: FileTable, options: RowOptions) -> set[int]:
    """Returns the columns that --entity, --time and --id name."""
    names = ((options.entity or "").partition("=")[0], options.time, options.id)
    return {find_columns(table, name)[0] for name in names if name}


def _with_names(values: NDArray[Any], table: FileTable, columns: Sequence[int]) -> Values:
    """Returns the values with the names of their columns, which the server matches or uses, if these are unique."""
    names = tuple(table.names[at] for at in columns) if table.names else ()
    # The server refuses names that are empty or repeated.
    usable = bool(names) and all(names) and len(set(names)) == len(names) == values.shape[-1]
    return NamedColumns(values, names) if usable else values


def _arrays(loaded: FileContent, held: Any, layout: Layout | None, notes: Notes) -> Values:
    """Prepares arrays for the model: removes a batch axis, and finds the input of an npz array without a name."""
    if layout is None:
        return held  # type: ignore[no-any-return]
    named_arrays = {"": held} if isinstance(held, np.ndarray) else dict(held)
    # numpy.savez calls an array that was passed without a name arr_0.
    if list(named_arrays) == ["arr_0"] and len(layout.inputs) == 1:
        named_arrays = {"": named_arrays["arr_0"]}
    widths = {item.name: item for item in layout.inputs}
    if len(layout.inputs) == 1:
        widths[""] = layout.inputs[0]
    done = {
        name: _array(loaded, name, array, widths.get(name), notes) for name, array in named_arrays.items()
    }
    return done[""] if list(done) == [""] else done


def _array(loaded: FileContent, name: str, array: NDArray[Any], item: Any, notes: Notes) -> NDArray[Any]:
    if item is None:
        return array
    where = f"input {name}: " if name else ""
    if item.role == "events" and array.ndim == 3:
        if len(array) != 1:
            raise file_error(
                loaded.path,
                f"{where}its shape {array.shape} is a batch of {len(array)} sequences, and one can be explained at a "
                "time; write one of them, such as x[0], to its own file",
            )
        notes.add(
            loaded, f"{where}the shape {array.shape} was read as one sequence of shape {array.shape[1:]}"
        )
        array = array[0]
    if array.dtype.kind == "f" and not item.allow_nan and np.isnan(array).any():
        at = [int(each) + 1 for each in np.argwhere(np.isnan(array))[0]]
        place = ", ".join(f"{axis} {each}" for axis, each in zip(("row", "column"), at, strict=False))
        raise file_error(
            loaded.path,
            f"{where}{place}: the value is missing (NaN or null); if the model takes NaN for a missing value, set "
            '"allow_nan": true for its input in schema.json',
        )
    return array


def _without(table: FileTable, unread: Sequence[int], options: RowOptions) -> list[int]:
    """Returns the columns to check after sorting: all except times, and the column that the rows are sorted by."""
    sorted_by = find_columns(table, options.sort_by)[0] if options.sort_by else -1
    return [at for at in unread if at == sorted_by or not rows.is_time(table, at)]


def _say_left_out(
    loaded: FileContent, table: FileTable, unread: Sequence[int], options: RowOptions, note: str, notes: Notes
) -> None:
    """Adds a note with the names of the columns that are not used."""
    known = {options.time, options.id, (options.entity or "").partition("=")[0]} - {""}
    names = [
        table.names[at] or f"column {at + 1}"
        for at in unread
        if table.names and table.names[at] not in known and table.title(at) not in note
    ]
    if names and "left out" not in "".join(
        said for said in notes.texts if said.startswith(f"{loaded.path.name}:")
    ):
        notes.add(loaded, f"left out: {name_list(names)}")
