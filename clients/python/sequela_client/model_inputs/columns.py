"""Matches the columns of a table in a file with the features of a model, by name or in order.

The server, too, matches columns by name, but only columns of numbers. The columns of a file may also have words, dates
or ids, so they are matched here, before the numbers are sent.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from sequela_client.errors import CallerError
from sequela_client.files import FileTable
from sequela_client.files.cells import number
from sequela_client.model_inputs.layout import Layout
from sequela_client.model_inputs.timestamps import are_dates
from sequela_client.resources import ModelFeature

Place = tuple[str, int]
"""The name of an input, and a column of it."""

# Names that pandas writes for an index without a name.
INDEX_NAMES = frozenset({"", "Unnamed: 0", "index", "level_0"})
_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Source:
    """Where a column of the model comes from.

    Args:
        column: the column of the table.
        feature: the feature that it belongs to.
        at: its place among the feature's columns.
        words: whether the column has the names of a one-hot feature's categories; the value is then 1 where the name is
            that of category `at`.
    """

    column: int
    feature: ModelFeature
    at: int = 0
    words: bool = False


@dataclass(frozen=True, slots=True)
class ColumnMatch:
    """Where each column of the model comes from, and a note about that for the caller, which may be empty."""

    sources: dict[Place, Source]
    note: str = ""

    @property
    def used(self) -> set[int]:
        """The columns of the table that are used."""
        return {source.column for source in self.sources.values()}


def columns_error(table: FileTable, what: str) -> CallerError:
    """Returns the error about columns that do not match the model."""
    return CallerError(f"{table.path.name}: {what}", reason="COLUMNS_DIFFER")


def name_list(names: Sequence[str]) -> str:
    """Returns a list of names for a message. If there are many, only the first are shown."""
    more = f", … ({len(names)} in all)" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def with_comment_names(table: FileTable, layout: Layout | None) -> FileTable:
    """Names columns as in a comment if features have these names, and drops the numbers that pandas writes as names."""
    if table.names == tuple(map(str, range(table.width))):
        return replace(table, names=())
    if not table.remark or layout is None or layout.unnamed:
        return table
    found = set(table.remark) & set(layout.names)
    return replace(table, names=table.remark) if found else table


def transpose(table: FileTable, layout: Layout) -> FileTable:
    """Returns a table with a single row if each line has a feature's name and its value, as pandas writes a Series."""
    if table.width != 2 or len(layout.names) < 2:
        return table
    names = tuple(str(cell).strip() for cell in table.column(0))
    if sorted(names) != sorted(layout.names):
        return table
    return replace(table, names=names, rows=(table.column(1),), lines=(table.lines[0],))


def match_columns(table: FileTable, layout: Layout, apart: Collection[int] = ()) -> ColumnMatch:
    """Matches columns with features. The columns in `apart` are known to be something else.

    Raises CallerError if features are missing, or if the match is not certain.
    """
    if table.names:
        sources, missing = _by_name(table, layout)
        if not missing:
            return ColumnMatch(sources)
        # Names that do not match are an error only if the features have names of their own.
        if not layout.unnamed and not _numbered(table.names):
            raise columns_error(
                table,
                f"its columns are {name_list(table.names)}; the model's features are {name_list(layout.names)}; "
                f"missing: {name_list(missing)}{_spelt(table, missing)}. "
                "--columns names the columns to take, in the model's order",
            )
    return _in_order(table, layout, apart)


def _spelt(table: FileTable, missing: Sequence[str]) -> str:
    """Returns a hint about columns whose names differ from the missing ones only in capitals and spaces."""
    sent = {name.casefold().strip(): name for name in table.names if name not in missing}
    meant = {name: sent[name.casefold()] for name in missing if name.casefold() in sent}
    return f" (the file has {', '.join(map(repr, meant.values()))})" if meant else ""


def _numbered(names: Sequence[str]) -> bool:
    """Returns whether these are the default names of pandas, for the index and for the columns."""
    return names[0] in INDEX_NAMES and list(names[1:]) == list(map(str, range(len(names) - 1)))


def _by_name(table: FileTable, layout: Layout) -> tuple[dict[Place, Source], list[str]]:
    """Returns the sources of the features that the table has, and the names of those that it lacks."""
    sources: dict[Place, Source] = {}
    missing = []
    for feature in layout.features:
        places = [(name, column) for name, columns in feature.columns.items() for column in columns]
        found = _columns_of(table, feature, len(places))
        if found is None:
            several = f" ({len(places)} columns: {feature.name}.0, …)" if feature.name in table.names else ""
            missing.append(feature.name + several)
            continue
        words = len(found) < len(places)
        for at, place in enumerate(places):
            sources[place] = Source(found[0 if words else at], feature, at, words)
    return sources, missing


def _columns_of(table: FileTable, feature: ModelFeature, count: int) -> list[int] | None:
    """Returns the columns of a feature: one with its name, or one for each of its columns; None if there are none."""
    spellings = [[feature.name]]
    if count > 1:
        # A one-hot feature whose categories have names needs only one column, with the name of the category.
        spellings = [[feature.name]] if feature.kind == "one_hot" and feature.categories else []
        # pandas' get_dummies joins names with _, and scikit-learn's DictVectorizer with =.
        for sign in "._=":
            spellings.append([f"{feature.name}{sign}{at}" for at in range(count)])
            spellings.append([f"{feature.name}{sign}{category}" for category in feature.categories])
    for spelling in spellings:
        if spelling and all(name in table.names for name in spelling):
            if twice := [name for name in spelling if table.names.count(name) > 1]:
                raise columns_error(
                    table, f"there are {table.names.count(twice[0])} columns named {twice[0]!r}"
                )
            return [table.names.index(name) for name in spelling]
    return None


def _in_order(table: FileTable, layout: Layout, apart: Collection[int] = ()) -> ColumnMatch:
    """Takes the columns of the table in the model's order."""
    if len(layout.events) != 1 or len(layout.inputs) != 1:
        inputs = ", ".join(item.name for item in layout.inputs)
        raise columns_error(
            table,
            f"the model takes several inputs ({inputs}); name the columns like the features "
            f"({name_list(layout.names)}), or write JSON: {{input: rows}}",
        )
    only, note = layout.events[0], ""
    columns = [at for at in range(table.width) if at not in apart]
    if len(columns) == only.width + 1 and columns[0] == 0 and _is_index(table):
        columns, note = columns[1:], f"left out: {table.names[0] or 'the first column'} (it numbers the rows)"
    if len(columns) > only.width:
        # Models do not take dates.
        columns = [at for at in columns if not are_dates(table.column(at), table.decimal)]
    if len(columns) != only.width:
        raise columns_error(table, _wrong_count(table, layout, only.width))
    sources = {
        (only.name, at): Source(column, *layout.owner(only.name, at)) for at, column in enumerate(columns)
    }
    return ColumnMatch(sources, note)


def _wrong_count(table: FileTable, layout: Layout, width: int) -> str:
    have = f"{table.width} columns" + (f" ({name_list(table.names)})" if table.names else " without names")
    take = "its features have no names" if layout.unnamed else name_list(layout.names)
    first = table.names[1] if len(table.names) > 1 else "2"
    # Twice as many columns as expected: every number was split at its decimal comma.
    commas = ", or the file has decimal commas (--decimal ,)" if width * 2 == table.width else ""
    seen = f" (read with {table.seen})" if table.seen else ""
    return (
        f"{have}{seen}; the model takes {width} ({take}). --columns {first},… names those to take, in the model's "
        f"order{commas}"
    )


def _is_index(table: FileTable) -> bool:
    """Returns whether the first column is an index as pandas and R write it: numbers that go up, possibly with gaps."""
    if not table.names or table.names[0] not in INDEX_NAMES:
        return False
    try:
        counted = [number(cell, table.decimal) for cell in table.column(0)]
    except ValueError:
        return False
    return all(each == int(each) for each in counted) and all(a < b for a, b in pairwise(counted))


def choose_columns(table: FileTable, wanted: Sequence[str], layout: Layout | None) -> ColumnMatch | list[int]:
    """Finds the columns that --columns names.

    Raises CallerError if the table lacks one of them, or if a column has the name of a feature but not its place.
    """
    columns = [column for each in wanted for column in find_columns(table, each)]
    if layout is None:
        return columns
    names = tuple(table.names[column] for column in columns) if table.names else ()
    part = replace(table, names=names, rows=tuple(tuple(row[at] for at in columns) for row in table.rows))
    # All features by name, so the order of --columns does not matter.
    if names and sorted(names) == sorted(layout.names):
        found = match_columns(part, layout)
    else:
        _check_places(table, names, layout)
        width = sum(item.width for item in layout.events)
        if len(columns) != width:
            raise columns_error(
                table,
                f"--columns lists {len(columns)}, and the model takes {width} columns, in this order: "
                f"{name_list(layout.names)}",
            )
        found = _in_order(part, layout)
    return ColumnMatch({at: replace(each, column=columns[each.column]) for at, each in found.sources.items()})


def _check_places(table: FileTable, names: Sequence[str], layout: Layout) -> None:
    order = [layout.owner(item.name, at)[0].name for item in layout.events for at in range(item.width)]
    for at, name in enumerate(names):
        if name in order and order.index(name) != at and not layout.unnamed:
            raise columns_error(
                table,
                f"--columns has {name} in place {at + 1}, but the model has it in place {order.index(name) + 1}",
            )


def find_columns(table: FileTable, wanted: str) -> list[int]:
    """Finds the column with a name. Without names, a number (from 1) or a range such as 2-7 selects columns.

    Raises CallerError if there is no such column.
    """
    if wanted in table.names:
        if table.names.count(wanted) > 1:
            raise columns_error(table, f"there are {table.names.count(wanted)} columns named {wanted!r}")
        return [table.names.index(wanted)]
    # Names are tried before numbers, because columns may be named 1, 2, 3.
    numbered = re.fullmatch(r"(\d+)(?:-(\d+))?", wanted)
    if numbered and (not table.names or "" in table.names):
        first, last = int(numbered[1]), int(numbered[2] or numbered[1])
        if 1 <= first <= last <= table.width:
            return list(range(first - 1, last))
    have = f"it has {name_list(table.names)}" if table.names else f"columns are numbered 1 to {table.width}"
    raise columns_error(table, f"there is no column {wanted!r}; {have}")
