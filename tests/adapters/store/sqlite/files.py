"""Stores in files, and a look into them past the store."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sequela.adapters.store.ports import Store
from sequela.adapters.store.sqlite.store import file_store


@contextmanager
def opened(path: Path, *arguments: Any) -> Iterator[Store]:
    """Opens a store, and closes it."""
    store = file_store(path, *arguments)
    try:
        yield store
    finally:
        store.close()


def execute(path: Path, *statements: str) -> list[Any]:
    """Runs statements on a file that no store has open, and returns the rows of the last one."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=0.0)) as connection:
        return [connection.execute(statement).fetchall() for statement in statements][-1]


def database(store: Store) -> Any:
    """Returns the connection of a store."""
    return store.records._database  # type: ignore[attr-defined]
