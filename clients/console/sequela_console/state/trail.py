"""Who did what with an alert, and when. Entries are only added."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from sequela_console.state.database import StateDatabase

REPEATED_SECONDS = 60.0
"""How long, in seconds, a person who opens an alert again gets no second entry."""


@dataclass(frozen=True, slots=True)
class TrailEntry:
    """Something that somebody did; see `TrailEntry` in types.ts."""

    action: str
    detail: str
    who: str
    verified: bool
    when: datetime


class Actor(Protocol):
    """Who did something."""

    @property
    def name(self) -> str:
        """The name; empty if it is not known."""

    @property
    def verified(self) -> bool:
        """Whether the service says that this is the name."""


def record(state: StateDatabase, alert: str, action: str, who: Actor, detail: str = "") -> None:
    """Adds an entry.

    Args:
        state: the database.
        alert: the id of the alert; empty for what is not about one alert.
        action: one of the actions of `TrailEntry` in types.ts.
        who: the person.
        detail: what exactly, as a short text for people.
    """
    with state.write() as database:
        _add(database, alert, action, who, detail)


def record_once(state: StateDatabase, alert: str, action: str, who: Actor, detail: str = "") -> None:
    """Adds an entry, unless the same one was added in the last minute. See `record`."""
    if _is_repeated(state.read, alert, action, who, detail):
        return
    with state.write() as database:
        # A page and its panel may ask at the same moment.
        if not _is_repeated(database, alert, action, who, detail):
            _add(database, alert, action, who, detail)


def trail_of(state: StateDatabase, alert: str) -> tuple[TrailEntry, ...]:
    """Returns the entries of an alert, the newest first."""
    query = "SELECT action, detail, who, verified, at FROM trail WHERE alert = ? ORDER BY id DESC"
    return tuple(
        TrailEntry(
            *(row["action"], row["detail"], row["who"], bool(row["verified"])),
            datetime.fromtimestamp(row["at"], UTC),
        )
        for row in state.read.execute(query, (alert,))
    )


def _add(database: sqlite3.Connection, alert: str, action: str, who: Actor, detail: str) -> None:
    database.execute(
        "INSERT INTO trail (alert, action, detail, who, verified, at) VALUES (?, ?, ?, ?, ?, ?)",
        (alert, action, detail, who.name, who.verified, time.time()),
    )


def _is_repeated(database: sqlite3.Connection, alert: str, action: str, who: Actor, detail: str) -> bool:
    query = "SELECT 1 FROM trail WHERE alert = ? AND action = ? AND who = ? AND verified = ? AND detail = ? AND at > ?"
    earliest = time.time() - REPEATED_SECONDS
    found = database.execute(query, (alert, action, who.name, who.verified, detail, earliest)).fetchone()
    return found is not None
