"""What a file holds, as the sequence or the background that a model takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela_client.cli import rows
from sequela_client.cli.columns import (
    ColumnMatch,
    chosen,
    listed,
    matching,
    named,
    picked,
    refused,
    transposed,
)
from sequela_client.cli.model_layout import Layout
from sequela_client.cli.rows import RowOptions
from sequela_client.cli.table_values import arrays
from sequela_client.errors import CallerError
from sequela_client.files import FileContent, FileTable
from sequela_client.files.file_table import numbers
from sequela_client.files.loader import FileValues
from sequela_client.files.records import columns_in
from sequela_client.files.text_format import invalid
from sequela_client.inputs import BackgroundValues, Values
from sequela_client.inputs import Sequence as Given
from sequela_client.tables import STATISTICS
from sequela_client.tables import Table as NamedColumns


@dataclass
class Notes:
    """What the caller should know of how a file was read; each is said once."""

    texts: list[str] = field(default_factory=list)

    def add(self, loaded: FileContent, text: str) -> None:
        """Adds a note about a file."""
        if text and f"{loaded.path.name}: {text}" not in self.texts:
            self.texts.append(f"{loaded.path.name}: {text}")


def needs_layout(loaded: FileContent) -> bool:
    """Whether it takes the model's description to make sense of it."""
    held = loaded.values
    if not isinstance(held, np.ndarray):
        return True
    return held.ndim > 2 or (held.dtype.kind == "f" and bool(np.isnan(held).any()))


def sequence(loaded: FileContent, layout: Layout | None, options: RowOptions, notes: Notes) -> Given:
    """The sequence that a file holds. Raises CallerError where that is not sure."""
    held = _as_table(loaded, layout)
    if not isinstance(held, FileTable):
        if options.given:
            raise _not_a_table(loaded, options.given[0])
        return Given(_arrays(loaded, held, layout, notes), loaded.events, loaded.id, loaded.labels)
    table, owner = rows.of_entity(held, options.entity)
    table = rows.in_time(table, options.sort_by)
    if loaded.events and len(loaded.events) != len(held.rows):
        raise invalid(
            loaded.path, f"it has {len(held.rows)} events, and 'events' tells of {len(loaded.events)}"
        )
    if loaded.events and (table.lines != held.lines or options.time or options.id):
        raise invalid(
            loaded.path, "--entity, --sort-by, --time and --id do not go with a file that has 'events'"
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
    return Given(values, events, loaded.id or owner, loaded.labels)


def background(
    loaded: FileContent, layout: Layout | None, options: RowOptions, notes: Notes
) -> BackgroundValues:
    """The background that a file holds. Raises CallerError where that is not sure."""
    mean = loaded.mean_event
    return BackgroundValues(
        _rows_of(loaded, loaded.values, layout, options, notes),
        None if mean is None else _one(_rows_of(loaded, mean, layout, options, notes), mean),
    )


def _one(values: Any, held: FileValues) -> Values:
    """A table of one row as the mean event that it is."""
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
        raise refused(table, text)
    columns = options.columns if _has(table, options.columns) else ()
    values, used = _values(table, layout, RowOptions(columns), loaded, notes)
    _say_left_out(loaded, table, [at for at in range(table.width) if at not in used], options, "", notes)
    return values


def _has(table: FileTable, wanted: Sequence[str]) -> bool:
    """Whether a background has the columns that were picked from the sequence."""
    try:
        return bool(wanted and [picked(table, each) for each in wanted])
    except CallerError:
        return False


def _not_a_table(loaded: FileContent, option: str) -> CallerError:
    """An option that goes with tables only."""
    return invalid(
        loaded.path.name, f"{option} goes with a table: CSV, or JSON with records or columns by name"
    )


def _as_table(loaded: FileContent, layout: Layout | None) -> FileValues:
    """Columns by name are a table, unless their names are those of the model's inputs."""
    held = loaded.values
    if isinstance(held, FileTable):
        held = named(held, layout)
        return held if layout is None else transposed(held, layout)
    if isinstance(held, np.ndarray) or layout is None or set(held) <= {item.name for item in layout.inputs}:
        return held
    if all(array.ndim == 1 for array in held.values()):
        columns = {name: array.tolist() for name, array in held.items()}
        if (found := columns_in(loaded.path, columns)) is not None:
            return found
        if set(held) & set(layout.names):
            lengths = ", ".join(f"{name} {len(array)}" for name, array in held.items())
            raise invalid(loaded.path, f"its columns differ in length: {lengths}")
    return held


def _values(
    table: FileTable, layout: Layout | None, options: RowOptions, loaded: FileContent, notes: Notes
) -> tuple[Values, set[int]]:
    """The model's inputs, and the columns of the table that are in them."""
    found: ColumnMatch | list[int]
    if options.columns:
        found = chosen(table, options.columns, layout)
    elif layout is None:
        found = list(range(table.width))
    else:
        found = matching(table, layout, _apart(table, options))
    if isinstance(found, list):
        return _with_names(numbers(table, found), table, found), set(found)
    assert layout is not None
    notes.add(loaded, found.note)
    values = arrays(table, layout, found)
    if len(values) > 1 or len(layout.inputs) > 1:
        return values, found.used
    (only,) = values.values()
    if not layout.unnamed or options.columns:
        return only, found.used
    return _with_names(only, table, [source.column for source in found.sources.values()]), found.used


def _apart(table: FileTable, options: RowOptions) -> set[int]:
    """The columns that options name as something else than values."""
    names = ((options.entity or "").partition("=")[0], options.time, options.id)
    return {picked(table, name)[0] for name in names if name}


def _with_names(values: NDArray[Any], table: FileTable, columns: Sequence[int]) -> Values:
    """With the names of the table's columns, for the server to match or to use, where each has one of its own."""
    names = tuple(table.names[at] for at in columns) if table.names else ()
    usable = bool(names) and all(names) and len(set(names)) == len(names) == values.shape[-1]
    return NamedColumns(values, names) if usable else values


def _arrays(loaded: FileContent, held: Any, layout: Layout | None, notes: Notes) -> Values:
    """Arrays with a batch axis of one, and of npz without names, as the model takes them."""
    if layout is None:
        return held  # type: ignore[no-any-return]
    named_arrays = {"": held} if isinstance(held, np.ndarray) else dict(held)
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
            raise invalid(
                loaded.path,
                f"{where}it has the shape {array.shape}, a batch of {len(array)} sequences; one is explained: write "
                "x[0], (events, columns), to a file of its own",
            )
        notes.add(loaded, f"{where}the shape {array.shape} was read as one sequence {array.shape[1:]}")
        array = array[0]
    if array.dtype.kind == "f" and not item.allow_nan and np.isnan(array).any():
        at = [int(each) + 1 for each in np.argwhere(np.isnan(array))[0]]
        place = ", ".join(f"{axis} {each}" for axis, each in zip(("row", "column"), at, strict=False))
        raise invalid(
            loaded.path,
            f'{where}{place}: the value is missing (NaN or null); if the model reads NaN as "missing", say '
            '"allow_nan": true for its input in schema.json',
        )
    return array


def _without(table: FileTable, unread: Sequence[int], options: RowOptions) -> list[int]:
    """Columns that may still say something once the caller has sorted the rows by one of them."""
    sorted_by = picked(table, options.sort_by)[0] if options.sort_by else -1
    return [at for at in unread if at == sorted_by or not rows.is_time(table, at)]


def _say_left_out(
    loaded: FileContent, table: FileTable, unread: Sequence[int], options: RowOptions, note: str, notes: Notes
) -> None:
    """Names the columns that went nowhere."""
    known = {options.time, options.id, (options.entity or "").partition("=")[0]} - {""}
    names = [
        table.names[at] or f"column {at + 1}"
        for at in unread
        if table.names and table.names[at] not in known and table.title(at) not in note
    ]
    if names and "left out" not in "".join(
        said for said in notes.texts if said.startswith(f"{loaded.path.name}:")
    ):
        notes.add(loaded, f"left out: {listed(names)}")
