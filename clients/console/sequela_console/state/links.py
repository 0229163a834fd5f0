"""Short ids for views whose state is too long for an address."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass

from sequela_console.state.database import StateDatabase

# 60 bits: two of a million links have the same id with a probability of one in two million.
_ID_CHARACTERS = 15


@dataclass(frozen=True, slots=True)
class SavedView:
    """A page and the state of its view."""

    path: str
    state: str


def save_view(database: StateDatabase, view: SavedView) -> str:
    """Returns the id of a view. The same view always gets the same one."""
    id = hashlib.sha256(f"{view.path}\n{view.state}".encode()).hexdigest()[:_ID_CHARACTERS]
    with database.write() as connection:
        connection.execute(
            "INSERT OR IGNORE INTO link (id, path, state, at) VALUES (?, ?, ?, ?)",
            (id, view.path, view.state, time.time()),
        )
    return id


def saved_view(database: StateDatabase, id: str) -> SavedView | None:
    """Returns the view of an id; None if there is none."""
    row = database.read.execute("SELECT path, state FROM link WHERE id = ?", (id,)).fetchone()
    return SavedView(row["path"], row["state"]) if row else None
