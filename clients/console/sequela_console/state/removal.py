"""Removes alerts from the index that the service no longer has."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence

from sequela_console.state.database import StateDatabase

CHUNK = 100
"""How many alerts are removed in one transaction. Nothing else can be written meanwhile."""
_ID = re.compile(r"[A-Za-z0-9_.-]+", re.ASCII)
_TABLES = ("alert_label", "alert_target", "alert_reason", "alert_effect", "reference_values")


def forget_alerts(state: StateDatabase, ids: Iterable[str]) -> None:
    """Removes alerts, their effects, values and short links, and the texts of their notes.

    Decisions stay: they are the operator's own, and models are trained with them. So does the trail: it has no content.
    """
    gone = tuple(ids)
    for chunk in _chunks(gone):
        with state.write() as database:
            for each in chunk:
                _forget(database, each)
    links = _links_to(state, frozenset(gone))
    for chunk in _chunks(links):
        with state.write() as database:
            database.executemany("DELETE FROM link WHERE id = ?", [(each,) for each in chunk])
    forget_orphans(state)
    state.overwrite_deleted()


def forget_orphans(state: StateDatabase) -> None:
    """Removes notes of alerts that are not in the index, for whatever reason they are still there."""
    where = "alert NOT IN (SELECT id FROM alert) AND (note <> '' OR verdict = 'note')"
    if state.read.execute(f"SELECT 1 FROM verdict WHERE {where} LIMIT 1").fetchone():  # noqa: S608 our own words
        with state.write() as database:
            database.execute(f"DELETE FROM verdict WHERE verdict = 'note' AND {where}")  # noqa: S608
            database.execute(f"UPDATE verdict SET note = '' WHERE {where}")  # noqa: S608


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK))


def _forget(database: sqlite3.Connection, id: str) -> None:
    for table in _TABLES:
        database.execute(f"DELETE FROM {table} WHERE alert = ?", (id,))  # noqa: S608 our own names
    database.execute("DELETE FROM alert WHERE id = ?", (id,))
    database.execute("DELETE FROM verdict WHERE alert = ? AND verdict = 'note'", (id,))
    database.execute("UPDATE verdict SET note = '' WHERE alert = ?", (id,))


def _links_to(state: StateDatabase, ids: frozenset[str]) -> Sequence[str]:
    """Returns the links whose view names one of these alerts. Each link is read once, however many alerts there are."""
    rows = state.read.execute("SELECT id, path, state FROM link")
    return [row["id"] for row in rows if not ids.isdisjoint(_ID.findall(f"{row['path']} {row['state']}"))]
