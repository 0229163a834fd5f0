"""Who did what with an alert, and when. Entries are only added."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime

from sequela_console.state.database import StateDatabase


@dataclass(frozen=True, slots=True)
class TrailEntry:
    """Something that somebody did; see `TrailEntry` in types.ts."""

    action: str
    detail: str
    who: str
    when: datetime


def record(state: StateDatabase, alert: str, action: str, who: str, detail: str = "") -> None:
    """Adds an entry.

    Args:
        state: the database.
        alert: the id of the alert.
        action: one of the actions of `TrailEntry` in types.ts.
        who: the name of the person.
        detail: what exactly, as a short text for people.
    """
    with state.write() as database:
        database.execute(
            "INSERT INTO trail (alert, action, detail, who, at) VALUES (?, ?, ?, ?, ?)",
            (alert, action, detail, who, time.time()),
        )


def trail_of(state: StateDatabase, alert: str) -> tuple[TrailEntry, ...]:
    """Returns the entries of an alert, the newest first."""
    query = "SELECT action, detail, who, at FROM trail WHERE alert = ? ORDER BY id DESC"
    return tuple(
        TrailEntry(row["action"], row["detail"], row["who"], datetime.fromtimestamp(row["at"], UTC))
        for row in state.read.execute(query, (alert,))
    )
