"""Reads pages of the index: sorted, filtered, and beginning at a place in the order, not after a number of rows."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

from sequela_console.state.alert_filter import AlertFilter
from sequela_console.state.database import StateDatabase

SORT_COLUMNS = {"created": "created", "happened": "moment", "score": "score", "caller": "caller_id"}


MAX_SORTED_ALERTS = 2000
"""Up to this many alerts are sorted after they have been found; more are read in the order of an index."""


@dataclass(frozen=True, slots=True)
class AlertOrder:
    """How a list is sorted. Equal values are sorted by id.

    Args:
        column: a column of the index, one of the values of `SORT_COLUMNS`.
        descending: whether the largest comes first.
    """

    column: str = "created"
    descending: bool = True

    @property
    def sql(self) -> str:
        """The ORDER BY of this order."""
        return f"{self.column} {self.way}, id {self.way}"

    @property
    def way(self) -> str:
        """The direction in SQL."""
        return "DESC" if self.descending else "ASC"

    @property
    def reverse(self) -> AlertOrder:
        """The opposite order."""
        return AlertOrder(self.column, not self.descending)

    def after(self) -> str:
        """The condition for rows that follow a place (value, id)."""
        sign = "<" if self.descending else ">"
        # The first part alone could use the index, too, but only the pair is right among equal values.
        return f"({self.column}, id) {sign} (?, ?)"


@dataclass(frozen=True, slots=True)
class Place:
    """A place in an order: the value that it is sorted by, and the id."""

    value: float | str
    id: str


@dataclass(frozen=True, slots=True)
class AlertList:
    """A sorted and filtered list of the index.

    Args:
        state: the database.
        filter: which alerts it shows.
        order: how it is sorted.
        total: how many alerts it has.
    """

    state: StateDatabase
    filter: AlertFilter
    order: AlertOrder
    total: int

    @classmethod
    def counted(cls, state: StateDatabase, chosen: AlertFilter, order: AlertOrder) -> AlertList:
        """Returns a list with its number of alerts."""
        (source, of), (where, values) = chosen.source(), chosen.where()
        query = f"SELECT COUNT(*) FROM {source} WHERE {where}"  # noqa: S608 values are bound
        return cls(state, chosen, order, int(state.read.execute(query, (*of, *values)).fetchone()[0]))

    def first(self, limit: int) -> list[sqlite3.Row]:
        """Returns the first rows."""
        query, values = self.page_sql("1", self.order)
        return self._rows(query, (*values, limit))

    def after(self, place: Place, limit: int) -> list[sqlite3.Row]:
        """Returns the rows that follow a place, which need not be in the list itself."""
        return self._from(place, self.order, limit)

    def before(self, place: Place, limit: int) -> list[sqlite3.Row]:
        """Returns the rows that come before a place, in the order of the list."""
        return self._from(place, self.order.reverse, limit)[::-1]

    def position(self, place: Place) -> int:
        """Returns how many alerts come before a place."""
        (source, of), (where, values) = self.filter.source(), self.filter.where()
        query = f"SELECT COUNT(*) FROM {source} WHERE {where} AND {self.order.reverse.after()}"  # noqa: S608
        return self._number(query, (*of, *values, place.value, place.id))

    def has(self, id: str) -> bool:
        """Returns whether an alert is in the list."""
        (source, of), (where, values) = self.filter.source(), self.filter.where()
        query = f"SELECT COUNT(*) FROM {source} WHERE id = ? AND ({where})"  # noqa: S608 values are bound
        return self._number(query, (*of, id, *values)) > 0

    def row(self, id: str) -> sqlite3.Row | None:
        """Returns the row of an alert, which need not be in the list; None if it does not have the chosen target."""
        source, of = self.filter.source()
        found = self._rows(f"SELECT * FROM {source} WHERE id = ?", (*of, id))  # noqa: S608 values are bound
        return found[0] if found else None

    def place_of(self, row: sqlite3.Row) -> Place:
        """Returns the place of a row in this order."""
        return Place(row[self.order.column], row["id"])

    def page_sql(self, place: str, order: AlertOrder) -> tuple[str, tuple[Any, ...]]:
        """Returns the query of a page, and its values up to those of the place.

        Args:
            place: the condition for rows that follow a place.
            order: the order.
        """
        (source, of), (where, values) = self.filter.source(), self.filter.where()
        if self.total > MAX_SORTED_ALERTS:
            # The index of the order gives the rows sorted, and the limit is soon reached.
            query = f"SELECT * FROM {source} WHERE ({where}) AND {place} ORDER BY {order.sql} LIMIT ?"  # noqa: S608
            return query, (*of, *values)
        # With few alerts, reading the whole order would take long, so they are found first, and then sorted.
        query = (
            f"SELECT * FROM {source} WHERE rowid IN (SELECT rowid FROM {source} WHERE {where}) AND {place} "  # noqa: S608
            f"ORDER BY +{order.column} {order.way}, +id {order.way} LIMIT ?"
        )
        return query, (*of, *of, *values)

    def _from(self, place: Place, order: AlertOrder, limit: int) -> list[sqlite3.Row]:
        query, values = self.page_sql(order.after(), order)
        return self._rows(query, (*values, place.value, place.id, limit))

    def _rows(self, query: str, values: tuple[Any, ...]) -> list[sqlite3.Row]:
        return self.state.read.execute(query, values).fetchall()

    def _number(self, query: str, values: tuple[Any, ...]) -> int:
        return int(self.state.read.execute(query, values).fetchone()[0])


def alert_row(state: StateDatabase, id: str) -> sqlite3.Row | None:
    """Returns the row of one alert; None if the index does not have it."""
    row: sqlite3.Row | None = state.read.execute("SELECT * FROM alert WHERE id = ?", (id,)).fetchone()
    return row
