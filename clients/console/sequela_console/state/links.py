"""Short ids for views whose state is too long for an address."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass

from sequela_console.state.database import StateDatabase

MAX_AGE_SECONDS = 90 * 86_400.0
MAX_LINKS = 100_000
# 60 bits: two of a million links have the same id with a probability of one in two million.
_ID_CHARACTERS = 15


@dataclass(frozen=True, slots=True)
class SavedView:
    """A page and the state of its view."""

    path: str
    state: str


def save_view(database: StateDatabase, view: SavedView) -> str:
    """Returns the id of a view. The same view always gets the same one.

    Views that nobody has saved for 90 days are removed. If there are more than 100,000, those that nobody has saved for
    the longest time are removed, too.
    """
    id = hashlib.sha256(f"{view.path}\n{view.state}".encode()).hexdigest()[:_ID_CHARACTERS]
    now = time.time()
    with database.write() as connection:
        connection.execute(
            "INSERT OR REPLACE INTO link (id, path, state, at) VALUES (?, ?, ?, ?)",
            (id, view.path, view.state, now),
        )
        connection.execute("DELETE FROM link WHERE at < ?", (now - MAX_AGE_SECONDS,))
        connection.execute(
            "DELETE FROM link WHERE id IN (SELECT id FROM link ORDER BY at DESC LIMIT -1 OFFSET ?)",
            (MAX_LINKS,),
        )
    return id


def saved_view(database: StateDatabase, id: str) -> SavedView | None:
    """Returns the view of an id; None if there is none."""
    row = database.read.execute("SELECT path, state FROM link WHERE id = ?", (id,)).fetchone()
    return SavedView(row["path"], row["state"]) if row else None
