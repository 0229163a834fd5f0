"""Writes the query for a page of explanations."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from sequela.adapters.store.page_tokens import foreign_position
from sequela.adapters.store.timestamps import microseconds, now
from sequela.explain.explanation_query import Filter
from sequela.names import model_owner, model_version

_SEPARATOR = "|"
_NUMBER = re.compile(r"-?[0-9]{1,18}", re.ASCII)  # which SQLite has room for; today's have 16 digits


@dataclass(slots=True)
class Conditions:
    """Conditions that all have to hold, and the values of their placeholders."""

    texts: list[str] = field(default_factory=list)
    values: list[object] = field(default_factory=list)

    def add(self, text: str, *values: object) -> None:
        """Adds a condition with its values."""
        self.texts.append(text)
        self.values += values

    def __str__(self) -> str:
        """Returns the conditions as SQL."""
        return " AND ".join(self.texts) or "1"


@dataclass(frozen=True, slots=True)
class PageQuery:
    """A query and its values.

    Its rows are (record.id, made, name, data) in the order of lists. `data` is NULL for records that do not match. So a
    reader can stop after as many rows as it wants to look at.
    """

    text: str
    values: Sequence[object]


def page_query(wanted: Filter, after: str) -> PageQuery:
    """Returns the query for the records after a position."""
    index, rows, matching = "record", Conditions(), Conditions()
    labels = sorted((wanted.labels or {}).items())
    if wanted.caller_id:
        # The condition on '' tells SQLite that the partial index has all rows.
        rows.add("record.alert = ? AND record.alert <> ''", wanted.caller_id)
    elif labels:
        index = "label JOIN record ON record.id = label.record"
        rows.add("label.key = ? AND label.value = ?", *labels.pop(0))
    if wanted.model:
        _add_model(wanted, rows if index == "record" and not wanted.caller_id else matching, matching)
    for label in labels:
        matching.add(_HAS_LABEL, *label)
    source, identifier = ("record", "record.id") if index == "record" else ("label", "label.record")
    _add_times(wanted, after, source, rows)
    _add_score(wanted, matching)
    matching.add("record.expires > ?", now())
    text = (
        f"SELECT {identifier}, {source}.made, {source}.name, CASE WHEN {matching} THEN record.data END FROM {index} "  # noqa: S608
        f"WHERE {rows} ORDER BY {source}.made DESC, {source}.name"
    )
    return PageQuery(text, (*matching.values, *rows.values))


def position(made: int, name: str) -> str:
    """Returns the position after a record."""
    return f"{made}{_SEPARATOR}{name}"


def _place(after: str) -> tuple[int, str]:
    """Returns the time and the name in a position.

    Raises:
        InvalidInput: PAGE_TOKEN_INVALID. Another kind of store made the token, or a caller did.
    """
    made, found, name = after.partition(_SEPARATOR)
    # SQLite takes no lone surrogates, and no caller's name has any.
    if (
        not found
        or not _NUMBER.fullmatch(made)
        or any("\ud800" <= character <= "\udfff" for character in name)
    ):
        raise foreign_position()
    return int(made), name


_HAS_LABEL = (
    "EXISTS (SELECT 1 FROM label AS other WHERE other.key = ? AND other.value = ? AND other.made = record.made "
    "AND other.name = record.name)"
)


def _add_model(wanted: Filter, rows: Conditions, matching: Conditions) -> None:
    rows.add("record.model = ?", model_owner(wanted.model))
    if version := model_version(wanted.model):
        matching.add("record.version = ?", version)


def _add_times(wanted: Filter, after: str, source: str, rows: Conditions) -> None:
    if wanted.start is not None:
        rows.add(f"{source}.made >= ?", microseconds(wanted.start))
    if after:
        made, name = _place(after)
        rows.add(f"{source}.made <= ? AND ({source}.made < ? OR {source}.name > ?)", made, made, name)
    elif wanted.end is not None:
        rows.add(f"{source}.made < ?", microseconds(wanted.end))


def _add_score(wanted: Filter, matching: Conditions) -> None:
    if wanted.min_score is not None:
        matching.add("record.score >= ?", wanted.min_score)
    if wanted.max_score is not None:
        matching.add("record.score <= ?", wanted.max_score)
