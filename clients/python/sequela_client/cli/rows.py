"""The rows of a table: which sequence they belong to, when they happened, and whether the oldest comes first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from sequela_client.cli.columns import INDEX_NAMES, columns_error, find_columns, name_list
from sequela_client.cli.timestamps import Moment, are_dates, goes_back, readings, times
from sequela_client.files import FileTable
from sequela_client.files.cells import Cell
from sequela_client.inputs import EventInfo

# Names of columns with the time of an event.
_TIME = re.compile(
    r"time|date|ts|([a-z]+[_ .:-])?(timestamp|datetime)|(event|transaction|trans|start|end|complete)[_ .:-]?(time|date)"
    r"|t|step|seq|position|event[_ ](no|nr|number|index)|(created|occurred|happened|recorded)[_ ]at",
    re.IGNORECASE,
)
# Names of columns that say which sequence an event belongs to.
_OWNER = re.compile(
    r"(entity|case|account|user|customer|client|card|patient|session|sequence|series|subject|unit|uid|"
    r"case:concept:name|id|.*[_ .:-]id|.*[a-z]I[dD]|.*ID)"
)
# Names of parts of a date: they repeat in blocks without being names of sequences.
_CALENDAR = re.compile(r"year|quarter|month|week|day|hour|minute|second|time|date|period", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class RowOptions:
    """What the options say about the rows and columns of a table."""

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
    """The rows of one sequence, and its name.

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
                table, f"{_several(name, found)}: --entity {name}={found[0]} takes one of them"
            )
        return table, found[0]
    if value not in found:
        raise columns_error(table, f"no row has {value!r} in column {name!r}, which has {name_list(found)}")
    return table.picked(row for row, owner in enumerate(owners) if owner == value), value


def in_time(table: FileTable, column: str | None) -> FileTable:
    """The rows sorted by a column, the smallest value first; equal rows keep their order."""
    if column is None:
        return table
    moments = _moments(table, find_columns(table, column)[0])
    return table.picked(sorted(range(len(moments)), key=moments.__getitem__))


def check_unread(table: FileTable, unread: Iterable[int]) -> None:
    """Checks the columns that are not features.

    Raises CallerError if one of them shows that the rows belong to several sequences, or that time goes back.
    """
    # Without names, nothing says what a column is.
    for column in unread if table.names else ():
        name = table.names[column]
        owners = [_text(cell) for cell in table.column(column)]
        found = list(dict.fromkeys(owners))
        # A column with one value, or with a new one in every row, does not split the rows into sequences.
        if 1 < len(found) < len(owners) and (_OWNER.fullmatch(name) or _in_blocks(table, column)):
            raise columns_error(
                table,
                f"{_several(name, found)}: several sequences in one file? --entity {name}={found[0]} takes one of "
                "them; if all rows are one sequence, name its columns with --columns",
            )
        ways = readings(table.column(column), table.decimal)
        if ways and (is_time(table, column) or (name in INDEX_NAMES and _falls(ways[0]))):
            _check_forward(table, column, ways)


def _in_blocks(table: FileTable, column: int) -> bool:
    """Whether a column has blocks of equal values, one for each sequence, and is not a part of a calendar."""
    owners = [_text(cell) for cell in table.column(column)]
    blocks = [len(list(rows)) for _, rows in groupby(owners)]
    if _CALENDAR.search(table.names[column]) or is_time(table, column):
        return False
    return min(blocks) > 1 and len(blocks) == len(set(owners))


def _falls(moments: Sequence[Moment]) -> bool:
    """Whether an index counts down, as in a table whose rows were reversed."""
    counts = [moment for moment in moments if isinstance(moment, float)]
    return len(counts) > 2 and all(later < earlier for earlier, later in pairwise(counts))


def is_time(table: FileTable, column: int) -> bool:
    """Whether a column has the name of a time, or is the only one with dates."""
    if not table.names:
        return False
    if _TIME.fullmatch(table.names[column]):
        return True
    dates = [at for at in range(table.width) if are_dates(table.column(at), table.decimal)]
    return dates == [column]


def events(table: FileTable, options: RowOptions, unread: Sequence[int]) -> tuple[tuple[EventInfo, ...], str]:
    """What people read about each row, and a note about the column that its time is from.

    Without --time a column that has the name of a time is taken, if all its values are times.
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
    """The only column with the name of a time whose values are times and can be read in one way."""
    fitting = []
    for column in unread:
        ways = readings(table.column(column), table.decimal) if is_time(table, column) else []
        if len(ways) == 1 and times(ways[0]):
            fitting.append(column)
    return fitting[0] if len(fitting) == 1 else None


def _moments(table: FileTable, column: int) -> list[Moment]:
    """The times or numbers of a column. Raises CallerError if a cell is neither, or if day and month are ambiguous."""
    cells = table.column(column)
    ways = readings(cells, table.decimal)
    if len(ways) == 1:
        return ways[0]
    if ways:
        raise table.refusal(
            f"{table.place(0, column)}: {cells[0]!r}: day or month first? Write times as 2026-04-02T07:35:05Z"
        )
    kinds = [readings([cell], table.decimal) for cell in cells]
    wrong = next((row for row, kind in enumerate(kinds) if not kind), None)
    if wrong is None:
        raise columns_error(table, f"{table.title(column)} holds times and numbers")
    raise table.refusal(
        f"{table.place(wrong, column)}: {cells[wrong]!r} is neither a time as 2026-04-02T07:35:05Z nor a number"
    )


def _check_forward(table: FileTable, column: int, ways: Sequence[Sequence[Moment]]) -> None:
    """Raises CallerError if a later row has an earlier time, in every way to read the column."""
    steps = [goes_back(moments) for moments in ways]
    # A column that can be read in two ways is in order if it is so in one of them.
    back = steps[0]
    if back is None or None in steps:
        return
    name = (table.names[column] if table.names else "") or str(column + 1)
    before, here = (_text(table.rows[row][column]) for row in (back - 1, back))
    raise columns_error(
        table,
        f"{table.unit} {table.lines[back]}: {name} goes back from {before} to {here}; the oldest event comes first. "
        f"--sort-by {name} sorts the rows; --entity COLUMN=VALUE takes those of one sequence; where the order is "
        "right all the same, name the features' columns with --columns",
    )


def _several(name: str, found: Sequence[str]) -> str:
    return f"column {name!r} has {len(found)} values ({name_list(found)})"


def _text(cell: Cell) -> str:
    return "" if cell is None else str(cell).strip()
