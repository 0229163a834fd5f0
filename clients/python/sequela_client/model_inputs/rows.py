"""Checks and selects the rows of a table: which sequence each belongs to, its time, and their order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from sequela_client.files import FileTable
from sequela_client.files.cells import Cell
from sequela_client.inputs import EventInfo
from sequela_client.model_inputs.columns import INDEX_NAMES, columns_error, find_columns, name_list
from sequela_client.model_inputs.timestamps import Moment, are_dates, goes_back, readings, times

# Names of columns with the time of an event.
_TIME = re.compile(
    r"time|date|ts|([a-z]+[_ .:-])?(timestamp|datetime)|(event|transaction|trans|start|end|complete)[_ .:-]?(time|date)"
    r"|t|step|seq|position|event[_ ](no|nr|number|index)|(created|occurred|happened|recorded)[_ ]at",
    re.IGNORECASE,
)
# Names of columns that say which sequence an event belongs to, such as the account.
_OWNER = re.compile(
    r"(entity|case|account|user|customer|client|card|patient|session|sequence|series|subject|unit|uid|"
    r"case:concept:name|id|.*[_ .:-]id|.*[a-z]I[dD]|.*ID)"
)
# Names of parts of a date: they repeat in blocks without being names of sequences.
_CALENDAR = re.compile(r"year|quarter|month|week|day|hour|minute|second|time|date|period", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class RowOptions:
    """The options about the rows and columns of a table."""

    columns: tuple[str, ...] = ()
    entity: str | None = None
    time: str | None = None
    id: str | None = None
    sort_by: str | None = None

    @property
    def given(self) -> tuple[str, ...]:
        """The flags that were given."""
        said = {
            "--columns": self.columns,
            "--entity": self.entity,
            "--time": self.time,
            "--id": self.id,
            "--sort-by": self.sort_by,
        }
        return tuple(name for name, value in said.items() if value)


def of_entity(table: FileTable, wanted: str | None) -> tuple[FileTable, str]:
    """Selects the rows of one sequence, and returns them with its name.

    Args:
        table: all rows.
        wanted: COLUMN=VALUE, or COLUMN if that has a single value; None: all rows.
    """
    if wanted is None:
        return table, ""
    name, given, value = wanted.partition("=")
    if wanted in table.names:
        name, given, value = wanted, "", ""
    column = find_columns(table, name)[0]
    owners = [_text(cell) for cell in table.column(column)]
    found = list(dict.fromkeys(owners))
    if not given:
        if len(found) > 1:
            raise columns_error(
                table, f"{_several(name, found)}; --entity {name}={found[0]} takes one of them"
            )
        return table, found[0]
    if value not in found:
        raise columns_error(table, f"no row has {value!r} in column {name!r}, which has {name_list(found)}")
    return table.picked(row for row, owner in enumerate(owners) if owner == value), value


def in_time(table: FileTable, column: str | None) -> FileTable:
    """Sorts the rows by a column, the smallest value first. Equal rows keep their order."""
    if column is None:
        return table
    moments = _moments(table, find_columns(table, column)[0])
    return table.picked(sorted(range(len(moments)), key=moments.__getitem__))


def check_unread(table: FileTable, unread: Iterable[int]) -> None:
    """Checks the columns that are not features.

    Raises CallerError if one of them shows that the rows belong to several sequences, or that time goes back.
    """
    # Without names, there is no way to know what a column is.
    for column in unread if table.names else ():
        name = table.names[column]
        owners = [_text(cell) for cell in table.column(column)]
        found = list(dict.fromkeys(owners))
        # A column with one value, or with a new one in every row, does not split the rows into sequences.
        if 1 < len(found) < len(owners) and (_OWNER.fullmatch(name) or _in_blocks(table, column)):
            raise columns_error(
                table,
                f"{_several(name, found)}, so there seem to be several sequences; --entity {name}={found[0]} takes one "
                "of them; if all rows are one sequence, name its columns with --columns",
            )
        ways = readings(table.column(column), table.decimal)
        if ways and (is_time(table, column) or (name in INDEX_NAMES and _falls(ways[0]))):
            _check_forward(table, column, ways)


def _in_blocks(table: FileTable, column: int) -> bool:
    """Returns whether a column has blocks of equal values, one for each sequence, and is not a part of a calendar."""
    owners = [_text(cell) for cell in table.column(column)]
    blocks = [len(list(rows)) for _, rows in groupby(owners)]
    if _CALENDAR.search(table.names[column]) or is_time(table, column):
        return False
    return min(blocks) > 1 and len(blocks) == len(set(owners))


def _falls(moments: Sequence[Moment]) -> bool:
    """Returns whether an index counts down, as in a table whose rows were reversed."""
    counts = [moment for moment in moments if isinstance(moment, float)]
    return len(counts) > 2 and all(later < earlier for earlier, later in pairwise(counts))


def is_time(table: FileTable, column: int) -> bool:
    """Returns whether a column is named like a time, or is the only one with dates."""
    if not table.names:
        return False
    if _TIME.fullmatch(table.names[column]):
        return True
    dates = [at for at in range(table.width) if are_dates(table.column(at), table.decimal)]
    return dates == [column]


def events(table: FileTable, options: RowOptions, unread: Sequence[int]) -> tuple[tuple[EventInfo, ...], str]:
    """Returns the information about each event, and a note that says which column has its time.

    Without --time, a column that is named like a time is used if all its values are times.
    """
    at = find_columns(table, options.time)[0] if options.time else _time_column(table, unread)
    ids = find_columns(table, options.id)[0] if options.id else None
    if at is None and ids is None:
        return (), ""
    rows = range(len(table.rows))
    names = [_text(table.rows[row][ids]) if ids is not None else "" for row in rows]
    if at is None:
        return tuple(EventInfo(name) for name in names), ""
    moments = _moments(table, at)
    _check_forward(table, at, [moments])
    title = table.names[at] if table.names else "time"
    if found := times(moments):
        return tuple(EventInfo(name, time) for name, time in zip(names, found[0], strict=True)), (
            f"times from {table.title(at)}{found[1]}"
        )
    texts = [_text(table.rows[row][at]) for row in rows]
    return tuple(
        EventInfo(name, display={title: text}) for name, text in zip(names, texts, strict=True)
    ), f"{table.title(at)} has numbers that are not dates; they are shown as they are"


def _time_column(table: FileTable, unread: Sequence[int]) -> int | None:
    """Returns the only column that is named like a time and whose values are unambiguous times."""
    fitting = []
    for column in unread:
        ways = readings(table.column(column), table.decimal) if is_time(table, column) else []
        if len(ways) == 1 and times(ways[0]):
            fitting.append(column)
    return fitting[0] if len(fitting) == 1 else None


def _moments(table: FileTable, column: int) -> list[Moment]:
    """Reads a column as times or numbers. Raises CallerError if a cell is neither, or if a date is ambiguous."""
    cells = table.column(column)
    ways = readings(cells, table.decimal)
    if len(ways) == 1:
        return ways[0]
    if ways:
        raise table.refusal(
            f"{table.place(0, column)}: {cells[0]!r} may have the day or the month first; write times as "
            "2026-04-02T07:35:05Z"
        )
    kinds = [readings([cell], table.decimal) for cell in cells]
    wrong = next((row for row, kind in enumerate(kinds) if not kind), None)
    if wrong is None:
        raise columns_error(
            table,
            f"{table.title(column)} has both times and numbers; write all of them as times, or all as numbers",
        )
    raise table.refusal(
        f"{table.place(wrong, column)}: {cells[wrong]!r} is neither a number nor a time such as 2026-04-02T07:35:05Z"
    )


def _check_forward(table: FileTable, column: int, ways: Sequence[Sequence[Moment]]) -> None:
    """Raises CallerError if a later row has an earlier time, in every way to read the column."""
    steps = [goes_back(moments) for moments in ways]
    # If a column can be read in two ways, it is enough that one of them is in order.
    back = steps[0]
    if back is None or None in steps:
        return
    name = (table.names[column] if table.names else "") or str(column + 1)
    before, here = (_text(table.rows[row][column]) for row in (back - 1, back))
    raise columns_error(
        table,
        f"{table.unit} {table.lines[back]}: {name} goes back from {before} to {here}; the oldest event must come "
        f"first. --sort-by {name} sorts the rows; --entity COLUMN=VALUE takes those of one sequence; if the order is "
        "right as it is, name the columns of the features with --columns",
    )


def _several(name: str, found: Sequence[str]) -> str:
    return f"column {name!r} has {len(found)} values ({name_list(found)})"


def _text(cell: Cell) -> str:
    return "" if cell is None else str(cell).strip()
