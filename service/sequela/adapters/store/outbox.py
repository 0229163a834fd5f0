"""Explanations that have not been written to the shared store yet."""

from __future__ import annotations

import itertools
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sequela.adapters.store.explanation_index import position_after
from sequela.adapters.store.ports import KeyValue, Store, StoreDown

MAX_PENDING = 1_000
"""The largest number of explanations that wait while the shared store is down. Beyond it, the oldest are dropped."""

_WRITES_PER_FLUSH = 4
"""How many explanations are written at once: the new one and a few that waited, because the caller waits for them."""

_TRIM_EVERY = 100
"""Writes between two removals of expired entries from the sets."""


@dataclass(frozen=True, slots=True)
class PendingWrite:
    """One explanation to be written.

    Attributes:
        keys: The keys to write. Their values are in the cache of the process.
        sets: The sets of the index that the entry belongs to.
        entry: The entry.
    """

    keys: tuple[str, ...]
    sets: tuple[str, ...]
    entry: str


class Outbox:
    """Writes explanations to the shared store, and keeps those that could not be written for later.

    Args:
        cache: The store that has the values until they are written.
        store: The store to which they are written.
        ttl_seconds: How long they are kept in `store`.
    """

    def __init__(self, cache: KeyValue, store: Store, ttl_seconds: float) -> None:
        self._cache = cache
        self._store = store
        self._ttl_seconds = ttl_seconds
        # `append` and `pop` of a deque are atomic, so no lock is needed.
        self._pending: deque[PendingWrite] = deque(maxlen=MAX_PENDING)
        self._count = itertools.count(1)

    def add(self, write: PendingWrite) -> None:
        """Adds an explanation. It is written by the next `flush`."""
        self._pending.append(write)

    def flush(self) -> None:
        """Writes some pending explanations, newest first. Raises StoreDown, in which case the others stay pending."""
        for _ in range(_WRITES_PER_FLUSH):
            try:
                write = self._pending.pop()
            except IndexError:
                return
            try:
                self._write(write)
            except StoreDown:
                self._pending.append(write)
                raise

    def _write(self, write: PendingWrite) -> None:
        for key in write.keys:
            value = self._cache.get(key)
            if value is not None:  # otherwise the cache has dropped it
                self._store.values.put(key, value, self._ttl_seconds)
        for name in write.sets:
            self._store.index.add(name, write.entry, self._ttl_seconds)
        # Trimming takes another call for each set, so it is made only now and then.
        if next(self._count) % _TRIM_EVERY == 0:
            expired = position_after(datetime.now(UTC) - timedelta(seconds=self._ttl_seconds))
            for name in write.sets:
                self._store.index.trim(name, expired)
